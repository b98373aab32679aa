"""Panoptic quality: PQ = SQ * RQ (Kirillov et al., CVPR 2019).

Agrees with panopticapi, the COCO benchmark's own program, to the last bit as
long as the images come in the same order: intersections over union are added
up in the order in which it adds them.
"""

import numpy as np

from deeplab2.metrics.overlaps import count_overlaps
from deeplab2.metrics.panoptic_quality_result import (
  PanopticQualityResult,
  QualitySummary,
)
from deeplab2.metrics.segment_matching import (
  Matches,
  Segments,
  match_segments,
)
from deeplab2.structures import PanopticCodec


class PanopticQuality:
  """Adds up the matches of any number of images.

  Args:
    num_classes: class ids are 0 .. num_classes - 1.
    thing_ids: those of things. All others but `ignore_label` are stuff.
    ignore_label: the class id of void; need not be below num_classes.
    divisor: panoptic = class * divisor + instance.
  """

  def __init__(
    self, num_classes: int, thing_ids, ignore_label: int, divisor: int
  ):
    self._codec = PanopticCodec(divisor)
    self._ignore_label = ignore_label
    self._thing = np.zeros(num_classes, bool)
    self._thing[list(thing_ids)] = True
    self._scored = np.arange(num_classes) != ignore_label
    self._iou = np.zeros(num_classes)
    self._tp = np.zeros(num_classes, np.int64)
    self._fp = np.zeros(num_classes, np.int64)
    self._fn = np.zeros(num_classes, np.int64)

  def update(self, truth_map, prediction_map, crowd=None) -> None:
    """Adds one image.

    Args:
      truth_map: h w  panoptic ids; void has class `ignore_label`.
      prediction_map: h w  the same.
      crowd: h w  bool, where the truth is a crowd; an id inside and outside of
        it counts as two segments.

    Raises:
      ValueError: maps that differ in size, or an id of no class.
    """
    crowd_bits = 0 if crowd is None else 1
    if crowd is not None:
      truth_map = _with_crowd_bit(truth_map, crowd)
    overlaps = count_overlaps(truth_map, prediction_map)
    ids = np.unique(overlaps.truth)
    truth = self._segments(
      "truth_map", ids, ids >> crowd_bits, (ids & crowd_bits) == 1
    )
    ids = np.unique(overlaps.prediction)
    prediction = self._segments(
      "prediction_map", ids, ids, np.zeros(len(ids), bool)
    )
    self.add(match_segments(overlaps, truth, prediction))

  def add(self, matches: Matches) -> None:
    """Adds one image whose segments are matched already."""
    # `np.add.at` adds one by one, in order; a sum by pairs rounds differently.
    np.add.at(self._iou, matches.matched, matches.iou)
    np.add.at(self._tp, matches.matched, 1)
    np.add.at(self._fp, matches.spurious, 1)
    np.add.at(self._fn, matches.missed, 1)

  def merge(self, other: "PanopticQuality") -> None:
    """Adds all images of another one, which must have the same classes.

    The counts are exact; sums of intersections over union may differ from
    those of one pass by the last bit.
    """
    if self._classes() != other._classes():
      raise ValueError(
        "other: expected the same classes, things, void and divisor; "
        f"got {other._classes()} instead of {self._classes()}."
      )
    self._iou += other._iou
    self._tp += other._tp
    self._fp += other._fp
    self._fn += other._fn

  def result(self) -> PanopticQualityResult:
    """The quality of what was added up to now."""
    count = self._tp + 0.5 * self._fp + 0.5 * self._fn
    counted = self._scored & (count > 0)
    # A class that is never right has quality 0, not none.
    tp = np.maximum(self._tp, 1)
    qualities = _divided(
      np.stack([self._iou, self._iou, self._tp]),
      np.stack([count, tp, count]),
      counted,
    )
    pq, sq, rq = qualities
    summary = lambda kind: QualitySummary(
      *_means(qualities[:, kind & counted]),
      classes=int(np.count_nonzero(kind & counted)),
      of_classes=int(np.count_nonzero(kind)),
    )
    return PanopticQualityResult(
      pq=pq,
      sq=sq,
      rq=rq,
      tp=self._tp.copy(),
      fp=self._fp.copy(),
      fn=self._fn.copy(),
      all=summary(self._scored),
      things=summary(self._scored & self._thing),
      stuff=summary(self._scored & ~self._thing),
    )

  def _segments(self, name, ids, panoptic_ids, crowd) -> Segments:
    classes, _ = self._codec.decode(panoptic_ids)
    counts = classes != self._ignore_label
    wrong = counts & (classes >= len(self._thing))
    if wrong.any():
      raise ValueError(
        f"{name}: expected classes below {len(self._thing)} or the ignore "
        f"label {self._ignore_label}; got panoptic id "
        f"{panoptic_ids[wrong][0]}, class {classes[wrong][0]}."
      )
    return Segments(ids[counts], classes[counts], crowd[counts])

  def _classes(self):
    things = tuple(np.flatnonzero(self._thing).tolist())
    return len(self._thing), things, self._ignore_label, self._codec.divisor


def _with_crowd_bit(panoptic, crowd):
  """Ids whose lowest bit says whether the pixel is of a crowd: h w int64."""
  if np.shape(crowd) != np.shape(panoptic):
    raise ValueError(
      f"crowd: expected the shape of the truth, {np.shape(panoptic)}; "
      f"got {np.shape(crowd)}."
    )
  return np.asarray(panoptic, np.int64) * 2 + np.asarray(crowd, bool)


def _divided(values, by, where):
  """Quotients where asked for, elsewhere nan."""
  result = np.full(values.shape, np.nan)
  return np.divide(values, by, out=result, where=where)


def _means(values):
  """Means of rows, summed one by one from the first; nan of nothing."""
  length = values.shape[1]
  if not length:
    return [np.nan] * len(values)
  return (np.cumsum(values, axis=1)[:, -1] / length).tolist()
