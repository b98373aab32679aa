"""What is in a checkpoint's files, and which of them is broken."""

import os
import re
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

_ERRORS = (tf.errors.OpError, RuntimeError, ValueError, IndexError)


class UnreadableCheckpointError(ValueError):
  """A file is missing, cut short or garbled; the message names it."""


class CheckpointContents:
  """The arrays of a checkpoint, by name.

  Attributes:
    prefix: of its files.
    shapes: name -> shape, of all arrays.
    dtypes: name -> what NumPy calls the type of its entries, of all arrays.
  """

  def __init__(self, prefix: str):
    """Reads the index.

    Raises:
      UnreadableCheckpointError: the index is broken, or a file of data is not
        there.
    """
    self.prefix = prefix
    try:
      self._reader = tf.train.load_checkpoint(prefix)
    except _ERRORS as error:
      raise _unreadable(f"{prefix}.index", error) from error
    _check_data_files(prefix)
    self.shapes = {
      name: tuple(shape)
      for name, shape in self._reader.get_variable_to_shape_map().items()
    }
    self.dtypes = {
      name: dtype.name
      for name, dtype in self._reader.get_variable_to_dtype_map().items()
    }

  def read(self, names: Iterable[str]) -> dict[str, np.ndarray]:
    """The arrays of that name, each checked against its checksum.

    Raises:
      UnreadableCheckpointError: one is cut short or garbled.
    """
    return {name: self._read(name) for name in names}

  def check(self, names: Iterable[str]) -> None:
    """Reads arrays of that name, one at a time, for their checksums alone.

    Raises:
      UnreadableCheckpointError: one is cut short or garbled.
    """
    for name in names:
      self._read(name)

  def _read(self, name: str) -> np.ndarray:
    try:
      return self._reader.get_tensor(name)
    except _ERRORS as error:
      files = ", ".join(data_files(self.prefix))
      raise _unreadable(files, f"at {name}: {error}") from error


def data_files(prefix: str) -> list[str]:
  """The files of data that a checkpoint has, with their folder."""
  pattern = re.compile(re.escape(os.path.basename(prefix)) + _SHARD)
  folder = os.path.dirname(prefix)
  names = tf.io.gfile.listdir(folder or ".")
  return sorted(os.path.join(folder, n) for n in names if pattern.fullmatch(n))


_SHARD = r"\.data-(\d{5})-of-(\d{5})"


def _check_data_files(prefix: str) -> None:
  """Raises unless every file of data is there that their names count."""
  found = data_files(prefix)
  if not found:
    raise UnreadableCheckpointError(
      f"checkpoint {prefix}: expected {prefix}.data-00000-of-00001 beside the"
      " index; found no file of data."
    )
  total = int(re.search(_SHARD, found[0])[2])
  wanted = [f"{prefix}.data-{i:05d}-of-{total:05d}" for i in range(total)]
  missing = [name for name in wanted if name not in found]
  if missing:
    raise UnreadableCheckpointError(
      f"checkpoint {prefix}: expected {total} files of data; missing "
      f"{', '.join(missing)}."
    )


def _unreadable(file: str, reason) -> UnreadableCheckpointError:
  first = str(reason).strip().splitlines()[0]
  return UnreadableCheckpointError(
    f"checkpoint {file}: cut short or garbled, it cannot be read to its end"
    f" ({first})."
  )
