"""Checkpoint files: flat maps from a name to an array, written all or nothing.

A checkpoint is a pair of files, `<prefix>.index` and `<prefix>.data-...`, in
TensorFlow's own format and under the plain names that were given, so that
`tf.train.list_variables(prefix)` shows what is in it. No Keras object is ever
handed to `tf.train.Checkpoint`, which loses layers held in lists in silence.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf

from deeplab2.training import files

_UNFINISHED = "unfinished-"
_DATA = ".data-00000-of-00001"
_INDEX = ".index"


class BrokenCheckpointError(ValueError):
  """A checkpoint is cut short, garbled or gone."""


def write(prefix: str, arrays: Mapping[str, np.ndarray | tf.Tensor]) -> None:
  """Writes `arrays` under `prefix`; the index, which counts, comes last.

  A process killed at any moment, or a power cut, leaves no index, hence no
  checkpoint.

  Raises:
    files.NotWrittenError: there is no room, or another reason.
  """
  folder, name = os.path.split(prefix)
  parts = _unfinished(prefix)
  with files.writing(prefix, parts):
    try:
      with tf.device("CPU:0"):
        tf.raw_ops.SaveV2(
          prefix=os.path.join(folder, _UNFINISHED + name),
          tensor_names=list(arrays),
          shape_and_slices=[""] * len(arrays),
          tensors=[tf.convert_to_tensor(a) for a in arrays.values()],
        )
    except tf.errors.OpError:
      # It leaves a file of another name, as large as there was room for.
      remove_unfinished(folder, name)
      raise
    # An index of an earlier time would not fit the new data.
    if tf.io.gfile.exists(prefix + _INDEX):
      tf.io.gfile.remove(prefix + _INDEX)
    files.put_in_place(
      dict(zip(parts, (prefix + _DATA, prefix + _INDEX), strict=True))
    )


def remove_unfinished(folder: str, name: str = "") -> None:
  """Removes what interrupted writes left in a folder.

  Args:
    folder: it need not be there.
    name: the beginning of those that count; all, unless given.
  """
  if not tf.io.gfile.isdir(folder or "."):
    return
  for file in tf.io.gfile.listdir(folder or "."):
    if file.startswith(_UNFINISHED + name):
      tf.io.gfile.remove(os.path.join(folder, file))


def paths_of(prefix: str) -> list[str]:
  """The files of a checkpoint, and those it has while it is written."""
  return [prefix + _INDEX, prefix + _DATA, *_unfinished(prefix)]


def _unfinished(prefix: str) -> list[str]:
  folder, name = os.path.split(prefix)
  path = os.path.join(folder, _UNFINISHED + name)
  return [path + _DATA, path + _INDEX]


def remove(prefix: str) -> None:
  """Removes the checkpoint, index first, so that no half of it is found."""
  for suffix in (_INDEX, _DATA):
    if tf.io.gfile.exists(prefix + suffix):
      tf.io.gfile.remove(prefix + suffix)


def exists(prefix: str) -> bool:
  """Whether `prefix` names a checkpoint, broken ones included."""
  return tf.io.gfile.exists(prefix + _INDEX)


def shapes(prefix: str) -> dict[str, tuple[int, ...]]:
  """Name -> shape of all that a checkpoint holds.

  Raises:
    BrokenCheckpointError: the index cannot be read.
  """
  with _broken_if_it_fails(prefix):
    found = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
  return {name: tuple(shape) for name, shape in found.items()}


def read(prefix: str, names: Iterable[str]) -> dict[str, np.ndarray]:
  """The arrays of these names, of those that `shapes` lists.

  Raises:
    BrokenCheckpointError: data cannot be read, or fails its checksum.
  """
  with _broken_if_it_fails(prefix):
    reader = tf.train.load_checkpoint(prefix)
    return {name: reader.get_tensor(name) for name in names}


@contextlib.contextmanager
def _broken_if_it_fails(prefix: str):
  """The reader raises whatever type it likes; the message tells them apart."""
  try:
    yield
  except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
    reason = str(error).splitlines()[0]
    raise BrokenCheckpointError(
      f"checkpoint {prefix}: cannot be read: {reason}"
    ) from error
