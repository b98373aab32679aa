"""Which segments of truth and prediction match (Kirillov et al., CVPR 2019).

A pair matches if its classes agree and its intersection over union exceeds
one half; then neither segment can match another. Pixels without a segment in
the truth (void) count for nobody, and crowds are neither found nor missed.

Letters: s segments, k overlapping pairs.
"""

from typing import NamedTuple

import numpy as np

from deeplab2.metrics.overlaps import Overlaps


class Segments(NamedTuple):
  """The segments of one map. Ids of the map that are not listed are void."""

  ids: np.ndarray  # s int64, distinct
  classes: np.ndarray  # s int64, class ids from 0
  crowd: np.ndarray  # s bool; of a prediction not used


class Matches(NamedTuple):
  """What is right and wrong in one image, a class id an event."""

  matched: np.ndarray  # class of each matched pair
  iou: np.ndarray  # float64, of the same pairs
  spurious: np.ndarray  # class of each prediction that is wrong
  missed: np.ndarray  # class of each segment that is not found


def match_segments(
  overlaps: Overlaps, truth: Segments, prediction: Segments
) -> Matches:
  """Matches the segments of an image.

  An unmatched prediction is forgiven if more than half of it lies in void and
  in the crowd of its own class. Where a class has several crowds, the last one
  listed counts, as in panopticapi.
  """
  true = _places(overlaps.truth, truth.ids)  # k, -1 where void
  predicted = _places(overlaps.prediction, prediction.ids)
  area = _sum_at(predicted, overlaps.area, len(prediction.ids))
  in_void = np.where(true < 0, overlaps.area, 0)
  candidate = _same_class(true, predicted, truth, prediction)
  iou = _iou(
    overlaps.area[candidate],
    _sum_at(true, overlaps.area, len(truth.ids))[true[candidate]],
    (area - _sum_at(predicted, in_void, area.size))[predicted[candidate]],
  )
  hit = iou > 0.5
  true_hits, predicted_hits = true[candidate][hit], predicted[candidate][hit]
  forgiven = np.where(
    _is_crowd_of(true, predicted, truth, prediction), overlaps.area, in_void
  )
  wrong = 2 * _sum_at(predicted, forgiven, area.size) <= area
  wrong[predicted_hits] = False
  missed = ~truth.crowd
  missed[true_hits] = False
  return Matches(
    matched=truth.classes[true_hits],
    iou=iou[hit],
    spurious=prediction.classes[wrong],
    missed=truth.classes[missed],
  )


def _places(ids, listed):
  """Index in `listed` of each id, -1 for those that are not there."""
  if not len(listed):
    return np.full(len(ids), -1)
  order = np.argsort(listed)
  place = np.searchsorted(listed, ids, sorter=order)
  place = order[np.minimum(place, len(listed) - 1)]
  return np.where(listed[place] == ids, place, -1)


def _sum_at(places, values, length):
  """Sums the values of each place, those at place -1 aside."""
  sums = np.bincount(places + 1, weights=values, minlength=length + 1)
  return sums[1:].astype(np.int64)


def _same_class(true, predicted, truth, prediction):
  """Indices of the pairs that may match: k -> fewer."""
  both = np.flatnonzero((true >= 0) & (predicted >= 0))
  true, predicted = true[both], predicted[both]
  alike = truth.classes[true] == prediction.classes[predicted]
  return both[alike & ~truth.crowd[true]]


def _iou(intersection, true_area, predicted_area):
  return intersection / (true_area + predicted_area - intersection)


def _is_crowd_of(true, predicted, truth, prediction):
  """Whether each pair joins a prediction with the crowd of its class: k."""
  if not truth.crowd.any():  # Of most images; it is not worth the rest.
    return np.zeros(len(true), bool)
  classes = np.concatenate([truth.classes, prediction.classes])
  crowd_of_class = np.full(classes.max(initial=0) + 1, -2)
  # Of indices that repeat, numpy keeps the last value.
  crowds = np.flatnonzero(truth.crowd)
  crowd_of_class[truth.classes[crowds]] = crowds
  found = predicted >= 0
  result = np.zeros(len(true), bool)
  own = crowd_of_class[prediction.classes[predicted[found]]]
  result[found] = true[found] == own
  return result
