"""Curves and pictures for TensorBoard."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from deeplab2.training import event_files, files


class Board:
  """The curves of one directory, each a colour of its own in TensorBoard."""

  def __init__(self, directory: str):
    self._directory = directory
    self._writer = None
    self._begin: int | None = None

  def begin_at(self, step: int) -> None:
    """Lets this session's values replace those of `step` and later.

    What earlier sessions wrote there is forgotten with the first value of this
    one, so that a session which comes to none takes nothing away.
    """
    self._begin = step if self._begin is None else min(self._begin, step)

  def scalars(self, step: int, values: Mapping[str, float]) -> None:
    """Adds a point to each curve; they are on disk when this returns.

    Raises:
      files.NotWrittenError: there is no room, or another reason.
    """
    with files.writing(self._directory):
      with self._opened().as_default(step=step):
        for name, value in values.items():
          tf.summary.scalar(name, value)
      self._writer.flush()

  def picture(self, step: int, name: str, picture: np.ndarray) -> None:
    """Adds a picture, h w 3 uint8."""
    with files.writing(self._directory):
      with self._opened().as_default(step=step):
        tf.summary.image(name, picture[None])
      self._writer.flush()

  def close(self) -> None:
    """Lets go of the file; another is begun with the next value."""
    if self._writer is not None:
      self._writer.close()
      self._writer = self._begin = None

  def _opened(self):
    """The writer; its file appears with the first value."""
    if self._writer is None:
      if self._begin is not None:
        event_files.forget_from(self._directory, self._begin)
      self._writer = tf.summary.create_file_writer(self._directory)
    return self._writer
