"""Multiply-adds of a traced function, counted from the shapes of its graph.

TensorFlow's profiler has no numbers for Einsum and counts it as nothing. Here
an operation that multiplies tensors is either counted or an error.
"""

import collections
import math

PRODUCTS = "convolution", "depthwise", "matmul", "einsum"


def count_multiply_adds(graph) -> dict[str, dict[str, int]]:
  """Scope of the graph -> kind of product -> multiply-adds.

  The scope is the second one of an operation's name: the first is the model's,
  the second that of its layer. What has no second is under "".

  Args:
    graph: of a concrete function whose shapes are all static.

  Raises:
    ValueError: a shape is not static, or products hide in a called function.
  """
  _check_called_functions(graph)
  counts = collections.defaultdict(lambda: dict.fromkeys(PRODUCTS, 0))
  for op in graph.get_operations():
    if op.type in _COUNTERS:
      kind, count = _COUNTERS[op.type]
      scopes = op.name.split("/")
      scope = scopes[1] if len(scopes) > 2 else ""
      counts[scope][kind] += count(op)
  return dict(counts)


def einsum_multiply_adds(equation: str, *shapes) -> int:
  """The extents of all letters multiplied: each product is one multiply-add.

  An ellipsis stands for the axes that broadcast; they count once.
  """
  inputs = equation.split("->")[0].split(",")
  extents, broadcast = {}, ()
  for letters, shape in zip(inputs, shapes, strict=True):
    before, dots, after = letters.partition("...")
    hidden = len(shape) - len(before) - len(after)
    if dots:
      broadcast = _broadcast(broadcast, shape[len(before) :][:hidden])
    visible = (*shape[: len(before)], *shape[len(before) + hidden :])
    for letter, extent in zip(before + after, visible, strict=True):
      extents[letter] = max(extent, extents.get(letter, 1))
  return math.prod(extents.values()) * math.prod(broadcast)


def _broadcast(first, second):
  length = max(len(first), len(second))
  first, second = ((1,) * (length - len(s)) + tuple(s) for s in (first, second))
  return tuple(map(max, first, second))


def _convolution(op) -> int:
  """Each output takes the kernel's window times its input channels.

  The kernel's, not the image's: of grouped convolutions a group counts.
  """
  return math.prod(_output(op)) * math.prod(_inputs(op)[1][:3])


def _depthwise(op) -> int:
  return math.prod(_output(op)) * math.prod(_inputs(op)[1][:2])


def _matmul(op) -> int:
  transposed = op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
  inner = _inputs(op)[0][-2 if transposed else -1]
  return math.prod(_output(op)) * inner


def _einsum(op) -> int:
  equation = op.get_attr("equation").decode()
  return einsum_multiply_adds(equation, *_inputs(op))


_COUNTERS = {
  "Conv2D": ("convolution", _convolution),
  "DepthwiseConv2dNative": ("depthwise", _depthwise),
  "MatMul": ("matmul", _matmul),
  "BatchMatMulV2": ("matmul", _matmul),
  "Einsum": ("einsum", _einsum),
}
# Products that no network here has; one that gets them is not miscounted.
_UNKNOWN = {
  "BatchMatMul",
  "BatchMatMulV3",
  "Conv2DBackpropInput",
  "Conv3D",
  "SparseMatMul",
  "XlaDotV2",
}


def _check_called_functions(graph):
  definition = graph.as_graph_def()
  called = {
    node.op for body in definition.library.function for node in body.node_def
  }
  missed = called & (set(_COUNTERS) | _UNKNOWN)
  missed |= {node.op for node in definition.node} & _UNKNOWN
  if missed:
    raise ValueError(
      f"graph: expected products among {sorted(_COUNTERS)}, none of them in "
      f"called functions; got {sorted(missed)}."
    )


def _inputs(op):
  return [_static(op, tensor) for tensor in op.inputs]


def _output(op):
  return _static(op, op.outputs[0])


def _static(op, tensor):
  if not tensor.shape.is_fully_defined():
    raise ValueError(
      f"{op.name}: expected static shapes; got {tensor.shape} for "
      f"{tensor.name}."
    )
  return tuple(tensor.shape)
