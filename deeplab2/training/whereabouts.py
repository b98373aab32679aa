"""What a process that says nothing is at, read from the stacks of its threads.

Whoever is watched pays nothing and knows nothing of it. Stacks are lists of
frames, the innermost first.
"""

import itertools
import os
import sys
import threading

import keras

from deeplab2.datasets.record_index import RecordIndex
from deeplab2.datasets.record_scan import scan_records

_READ = RecordIndex.read.__code__
_SCAN = scan_records.__code__
_ROOT = os.sep + "deeplab2" + os.sep
_MODEL = "the model"

# End of a file's name -> what is done in it, the first that fits.
_ACTIVITIES = (
  ("deeplab2/datasets/record_index.py", "looking through the files of records"),
  ("deeplab2/training/checkpoint_files.py", "reading or writing a checkpoint"),
  ("deeplab2/training/optimizers.py", "making the optimizers"),
  ("deeplab2/training/replay.py", "looking at a step layer by layer"),
  ("deeplab2/training/evaluator.py", "evaluating"),
)


def stacks() -> list[list]:
  """The stack of every other thread, that of the main one first."""
  own, main = threading.get_ident(), threading.main_thread().ident
  frames = sys._current_frames()
  order = sorted(frames, key=lambda thread: thread != main)
  return [_stack(frames[thread]) for thread in order if thread != own]


def _stack(frame) -> list:
  found = []
  while frame is not None:
    found.append(frame)
    frame = frame.f_back
  return found


def records_being_read(threads: list[list]) -> list[str]:
  """File and place of each record that a thread is at."""
  return [
    frame.f_locals["self"].where(frame.f_locals["number"])
    for stack in threads
    for frame in stack
    if frame.f_code is _READ
  ]


def activity(threads: list[list]) -> str:
  """What is done, in a few words: "tracing encoder/stage4/block2"."""
  for stack in threads:
    layers = _layers(stack)
    if layers:
      return f"{_verb(stack)} {layer_path(layers)}"
  for stack in threads:
    if _passes(stack, "python/eager/backprop.py") and _is_tracing(stack):
      return "tracing the gradients"
    if _passes(stack, "optimizers/base_optimizer.py") and _is_tracing(stack):
      return "tracing the updates of the weights"
  main = threads[0] if threads else []
  for frame in main:
    if frame.f_code is _SCAN:
      return f"looking for records in {frame.f_locals['path']}"
  for ending, words in _ACTIVITIES:
    if _passes(main, ending):
      return words
  if _is_tracing(main):
    return "tracing the step"
  if main and _is_from(main[0], "python/eager/execute.py"):
    return "optimizing and compiling the graph of the step"
  return _place(main)


def layer_path(layers: list) -> str:
  """Path of attributes from the first layer to the last, each in the former."""
  names = [
    _attribute(outer, inner) for outer, inner in itertools.pairwise(layers)
  ]
  return "/".join(names) or _MODEL


def _layers(stack) -> list:
  """The layers whose call is under way, the outermost first."""
  found = []
  for frame in reversed(stack):
    owner = frame.f_locals.get("self")
    if isinstance(owner, keras.layers.Layer) and owner not in found:
      found.append(owner)
  return found


def _attribute(outer, inner) -> str:
  for name, value in vars(outer).items():
    if value is inner and not name.startswith("_"):
      return name
  return inner.name


def _verb(stack) -> str:
  return "tracing" if _is_tracing(stack) else "building"


def _is_tracing(stack) -> bool:
  return _passes(stack, "python/framework/func_graph.py")


def _passes(stack, ending: str) -> bool:
  return any(_is_from(frame, ending) for frame in stack)


def _is_from(frame, ending: str) -> bool:
  return frame.f_code.co_filename.endswith(ending)


def _place(stack) -> str:
  """The innermost function of this library."""
  for frame in stack:
    name = frame.f_code.co_filename
    if _ROOT in name:
      file = name[name.rindex(_ROOT) + 1 :]
      return f"in {frame.f_code.co_name}, {file} line {frame.f_lineno}"
  return "at something outside of this library"
