"""What every layer of a model gives, seen from outside.

It is for looking at a single step after the fact: layers know nothing of it,
and a step that nobody looks at pays nothing.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf


class Output(NamedTuple):
  """What one call of a layer gave."""

  path: str  # of attributes, as in "encoder/stage4/block2/conv1"
  kind: str  # name of the layer's class
  tensors: tuple[Any, ...]  # those of floating point


@contextlib.contextmanager
def probing(model: keras.Model) -> Iterator[list[Output]]:
  """Within, yields the list of all calls, in the order in which they end.

  A layer inside of another ends before it. Calls inside of a graph have no
  values yet and are left out.
  """
  paths = {id(layer): path for path, layer in layers_by_path(model).items()}
  seen: list[Output] = []

  def look(call, layer, *args, **kwargs):
    outputs = call(layer, *args, **kwargs)
    tensors = floating(outputs)
    if id(layer) in paths and tensors:
      seen.append(Output(paths[id(layer)], type(layer).__name__, tensors))
    return outputs

  with _every_call(look):
    yield seen


class OutputSize:
  """How much the innermost layers gave, for how large an image."""

  pixels: int = 0  # of all images together
  bytes: int = 0


@contextlib.contextmanager
def sizing_outputs() -> Iterator[OutputSize]:
  """Within, adds up what the innermost layers of any model give.

  A model is called once when it is made, to create its variables; to look on
  costs nothing more.
  """
  size = OutputSize()
  depth = calls = 0

  def add(call, layer, *args, **kwargs):
    nonlocal depth, calls
    if not depth and args:
      size.pixels += math.prod(tuple(args[0].shape)[:3])
    before = calls = calls + 1
    depth += 1
    try:
      outputs = call(layer, *args, **kwargs)
    finally:
      depth -= 1
    if calls == before:  # no layer inside of it
      size.bytes += sum(
        t.dtype.size * t.shape.num_elements() for t in floating(outputs)
      )
    return outputs

  with _every_call(add):
    yield size


@contextlib.contextmanager
def _every_call(around: Callable) -> Iterator[None]:
  """Within, `layer(...)` is `around(call, layer, ...)`, for all layers."""
  call = keras.layers.Layer.__call__

  def watched(layer, *args, **kwargs):
    return around(call, layer, *args, **kwargs)

  keras.layers.Layer.__call__ = watched
  try:
    yield
  finally:
    keras.layers.Layer.__call__ = call


def layers_by_path(layer, path: str = "") -> dict[str, keras.layers.Layer]:
  """Attribute path -> layer, of all layers inside of one."""
  found = {}
  for name, value in vars(layer).items():
    if isinstance(value, keras.layers.Layer) and not name.startswith("_"):
      found[path + name] = value
      found |= layers_by_path(value, f"{path}{name}/")
  return found


def floating(values) -> tuple[Any, ...]:
  """The eager tensors of floating point in any structure."""
  return tuple(
    tensor
    for tensor in tf.nest.flatten(values)
    if isinstance(tensor, tf.Tensor)
    and hasattr(tensor, "numpy")
    and tensor.dtype.is_floating
  )
