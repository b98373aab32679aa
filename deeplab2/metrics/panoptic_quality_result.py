"""Panoptic quality as values, as JSON and as a table on the terminal."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class QualitySummary:
  """Means over the classes that occur; nan if none does. All of 0..1."""

  pq: float  # panoptic quality
  sq: float  # segmentation quality, mean IoU of the matches
  rq: float  # recognition quality, F1 of the segments
  classes: int  # classes averaged: in truth or prediction at least once
  of_classes: int  # classes there are

  def to_dict(self) -> dict:
    """For JSON, where nan is None."""
    values = dataclasses.asdict(self)
    return {name: _for_json(value) for name, value in values.items()}


@dataclasses.dataclass(frozen=True, eq=False)
class PanopticQualityResult:
  """Qualities of 0..1 and counts a class; nan for classes without segments."""

  pq: np.ndarray  # c float64
  sq: np.ndarray  # c float64
  rq: np.ndarray  # c float64
  tp: np.ndarray  # c int64, segments found
  fp: np.ndarray  # c int64, predictions that are wrong
  fn: np.ndarray  # c int64, segments missed
  all: QualitySummary
  things: QualitySummary
  stuff: QualitySummary

  @property
  def summaries(self) -> dict[str, QualitySummary]:
    return {"all": self.all, "things": self.things, "stuff": self.stuff}

  @property
  def counted(self) -> np.ndarray:
    """Whether each class is part of the means: c bool."""
    return ~np.isnan(self.pq)

  def to_dict(self, names: Sequence[str]) -> dict:
    """For JSON: the summaries, and each class under its name.

    Args:
      names: one a class id.
    """
    per_class = {
      name: {
        field: _for_json(getattr(self, field)[i].item())
        for field in ("pq", "sq", "rq", "tp", "fp", "fn")
      }
      for i, name in enumerate(_checked(names, len(self.pq)))
      if self.counted[i]
    }
    summaries = {k: v.to_dict() for k, v in self.summaries.items()}
    return {**summaries, "per_class": per_class}

  def table(self, names: Sequence[str], per_class: bool = True) -> str:
    """Percentages for a terminal: the summaries, then a line a class.

    Args:
      names: one a class id.
      per_class: whether the lines of the classes follow.
    """
    names = _checked(names, len(self.pq))
    counted = [i for i in range(len(names)) if self.counted[i]]
    shown = counted if per_class else []
    width = max([len("things"), *(len(names[i]) for i in shown)])
    lines = [f"{'':{width}}    PQ    SQ    RQ  classes"]
    for name, value in self.summaries.items():
      lines.append(
        f"{name:{width}}{_percent(value.pq, value.sq, value.rq)}"
        f"  {value.classes} of {value.of_classes}"
      )
    if shown:
      lines += ["", f"{'class':{width}}    PQ    SQ    RQ     TP     FP     FN"]
    for i in shown:
      lines.append(
        f"{names[i]:{width}}{_percent(self.pq[i], self.sq[i], self.rq[i])}"
        f" {self.tp[i]:6d} {self.fp[i]:6d} {self.fn[i]:6d}"
      )
    absent = self.all.of_classes - self.all.classes
    if absent:
      lines += [
        "",
        f"Left out of the means: {absent} of {self.all.of_classes} classes, "
        "in neither truth nor prediction.",
      ]
    return "\n".join(lines)


def _checked(names, num_classes):
  if len(names) != num_classes:
    raise ValueError(
      f"names: expected one a class, {num_classes}; got {len(names)}."
    )
  return names


def _for_json(value):
  return None if isinstance(value, float) and math.isnan(value) else value


def _percent(*values):
  return "".join(
    f"{'-':>6}" if math.isnan(x) else f"{100 * x:6.1f}" for x in values
  )
