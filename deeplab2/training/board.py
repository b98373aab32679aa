"""Curves and pictures for TensorBoard."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf


class Board:
  """The curves of one directory, each a colour of its own in TensorBoard."""

  def __init__(self, directory: str):
    self._directory = directory
    self._writer = None

  def scalars(self, step: int, values: Mapping[str, float]) -> None:
    """Adds a point to each curve; they are on disk when this returns."""
    with self._opened().as_default(step=step):
      for name, value in values.items():
        tf.summary.scalar(name, value)
    self._writer.flush()

  def picture(self, step: int, name: str, picture: np.ndarray) -> None:
    """Adds a picture, h w 3 uint8."""
    with self._opened().as_default(step=step):
      tf.summary.image(name, picture[None])
    self._writer.flush()

  def _opened(self):
    """The writer; its file appears with the first value."""
    if self._writer is None:
      self._writer = tf.summary.create_file_writer(self._directory)
    return self._writer
