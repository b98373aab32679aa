"""Counts images that hold more than a model has room for.

They are no error: the largest things keep their rows, and matching takes the
best masks. But a set that is full of them wants other numbers in the config.
"""

import threading
from collections.abc import Callable

import numpy as np

from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.label_runs import find_runs


class Crowding:
  """The records that hold too much, each once. Any thread may look.

  Args:
    dataset: classes and divisor of the labels.
    max_things: rows for things, the config's `max_thing_id`.
    max_segments: masks of the model, for things and stuff; None for no limit.
    report: told of the first one, in a line.
  """

  def __init__(
    self,
    dataset: DatasetDescription,
    max_things: int,
    max_segments: int | None = None,
    report: Callable[[str], None] = lambda line: None,
  ):
    self._dataset = dataset
    self._max_things = max_things
    self._max_segments = max_segments
    self._report = report
    self._seen: set[str] = set()
    self._lock = threading.Lock()
    self.count = 0

  def look_at(self, where: str, panoptic: np.ndarray) -> None:
    """Counts a record the first time that it is shown.

    Args:
      where: file and record.
      panoptic: h w  int32, its label.
    """
    if where in self._seen:
      return
    problem = self._problem(panoptic)
    with self._lock:
      if where in self._seen:
        return
      self._seen.add(where)
      if problem:
        self.count += 1
        if self.count == 1:
          self._report(f"{where}: {problem} More such images are only counted.")

  def _problem(self, panoptic: np.ndarray) -> str | None:
    semantic, instance = self._dataset.codec.decode(find_runs(panoptic).labels)
    is_thing = np.isin(semantic, self._dataset.thing_ids)
    is_stuff = np.isin(semantic, self._dataset.stuff_ids)
    things = int((is_thing & (instance > 0)).sum())
    segments = things + len(np.unique(semantic[is_stuff]))
    if things > self._max_things:
      return (
        f"{things} things are more than max_thing_id, {self._max_things}; "
        "the smallest are left out."
      )
    if self._max_segments is not None and segments > self._max_segments:
      return (
        f"{segments} segments are more than num_mask_slots, "
        f"{self._max_segments}; some are not learnt from."
      )
    return None
