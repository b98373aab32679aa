"""Where the time of a call goes, by kind of operation, and a picture of it.

TensorFlow's profiler notes when each kernel runs. Kernels run side by side, so
their times add up to more than the call takes; what counts is their shares.
"""

import collections
import glob
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping

from deeplab2.benchmark.jobs import OPERATIONS, Job

# Words in the names of TensorFlow's kernels, the first that is found decides.
_REST = "value by value"
_KINDS = {
  _REST: ("Maximum", "Minimum"),  # though they begin like Max and Min
  "convolution": ("Conv2D", "DepthwiseConv"),
  "product of matrices": ("MatMul", "Einsum"),
  "normalization, softmax": ("BatchNorm", "Softmax", "Rsqrt"),
  "resize": ("Resize",),
  "order of axes": ("Transpose",),
  "rounding": ("Cast",),
  "part or join": ("Slice", "Split", "Concat", "Pad", "Gather", "TensorList"),
  "largest, sum": ("TopK", "ArgMax", "Max", "Sum", "Mean", "Min", "All", "Any"),
}
_CONTROL = ("While", "If", "Call", "NoOp", "Const", "Arg", "Retval", "Variable")
_COLORS = ("#2563a8", "#d1662a", "#3c8d5a")


def kind_of(operation: str) -> str | None:
  """The kind of a kernel such as "_MklNativeConv2D"; None for what runs others.

  What is of no other kind works value by value.
  """
  for kind, words in _KINDS.items():
    if any(word in operation for word in words):
      return kind
  return None if any(word in operation for word in _CONTROL) else _REST


def seconds_by_kind(call: Callable[[], object]) -> dict[str, float]:
  """Runs a call under TensorFlow's profiler; the most time comes first."""
  import tensorflow as tf

  with tempfile.TemporaryDirectory() as folder:
    with tf.profiler.experimental.Profile(folder):
      call()
    (path,) = glob.glob(os.path.join(folder, "**/*.xplane.pb"), recursive=True)
    seconds = collections.Counter()
    for operation, duration in _kernels(path):
      if kind := kind_of(operation):
        seconds[kind] += duration
  return dict(seconds.most_common())


def _kernels(path: str):
  """Kernel and seconds of each run, from the profile of a CPU."""
  from tensorflow.tsl.profiler.protobuf import xplane_pb2

  space = xplane_pb2.XSpace()
  with open(path, "rb") as file:
    space.ParseFromString(file.read())
  for plane in space.planes:
    for event in (event for line in plane.lines for event in line.events):
      # "name/in/the/graph:Kernel", as opposed to "Where::Function: details".
      name = plane.event_metadata[event.metadata_id].name
      graph_name, colon, operation = name.rpartition(":")
      if colon and operation.isidentifier() and not graph_name.endswith(":"):
        yield operation, event.duration_ps / 1e12


def plot_operations(results: Iterable[tuple[Job, Mapping]], path: str) -> None:
  """Draws the share of each kind, a row of bars a job, into a picture file.

  Args:
    results: jobs and what `worker.measure` returned for them.
    path: of the picture; its ending says the format, such as .png or .svg.

  Raises:
    ValueError: no operations were measured.
  """
  # The object-oriented interface needs no display and keeps no global state.
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  found = {
    f"{job.precision}, {job.mode}, {job.size}, b{job.batch}": result[
      "operations"
    ]
    for job, result in results
    if job.part == OPERATIONS and "operations" in result
  }
  if not found:
    raise ValueError("picture: expected measured operations; got none.")
  kinds = list(next(iter(found.values())))
  figure = Figure((7.2, 0.8 + 0.34 * len(kinds)), layout="constrained")
  FigureCanvasAgg(figure)
  axis = figure.subplots()
  height = 0.8 / len(found)
  for i, (name, seconds) in enumerate(found.items()):
    total = sum(seconds.values())
    axis.barh(
      [row + i * height for row in range(len(kinds))],
      [100 * seconds.get(kind, 0.0) / total for kind in kinds],
      height=0.9 * height,
      color=_COLORS[i % len(_COLORS)],
      label=name,
    )
  middle = (len(found) - 1) * height / 2
  axis.set_yticks([row + middle for row in range(len(kinds))], kinds)
  axis.invert_yaxis()
  axis.set_xlabel("share of the time of all operations, %", fontsize=9)
  axis.tick_params(labelsize=9, length=0)
  for side in ("top", "right", "left"):
    axis.spines[side].set_visible(False)
  axis.legend(fontsize=9, frameon=False, loc="lower right")
  figure.savefig(path, dpi=150)
