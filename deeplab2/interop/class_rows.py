"""Rows of classes that two data sets name alike, from one layer to another.

"Row" is a slice at one index of the last axis: all that a layer knows of one
class.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

# What the last axis of a class-dependent layer may count.
CLASS_IDS = "class_ids"
CHANNELS = "channels"


@dataclasses.dataclass(frozen=True)
class CarryOver:
  """The class names along each class axis, in the checkpoint and in the model.

  Attributes:
    origin: what people call the data set of the checkpoint.
    source: axis, CLASS_IDS or CHANNELS -> names along it in the checkpoint.
    target: the same for the model.
  """

  origin: str
  source: Mapping[str, tuple[str, ...]]
  target: Mapping[str, tuple[str, ...]]

  def check(self, axis: str, layer: str, extent: int) -> None:
    """Raises ValueError unless a layer of the file has the source's classes."""
    if len(self.source[axis]) != extent:
      raise ValueError(
        "carry_over_classes_from: expected the data set that the checkpoint "
        f"was trained on, whose {layer} has {extent} classes; got "
        f"'{self.origin}', which has {len(self.source[axis])} there."
      )

  def common(self, axis: str) -> list[tuple[int, int]]:
    """(row in the checkpoint, row in the model) of each name in both."""
    rows = {name: row for row, name in enumerate(self.source[axis])}
    return [
      (rows[name], row)
      for row, name in enumerate(self.target[axis])
      if name in rows
    ]

  def merged(self, axis: str, source, target) -> np.ndarray:
    """`target` with the common rows of `source`, bit by bit as they are."""
    result = np.array(target)
    pairs = self.common(axis)
    if pairs:
      old, new = map(list, zip(*pairs, strict=True))
      result[..., new] = np.asarray(source)[..., old]
    return result
