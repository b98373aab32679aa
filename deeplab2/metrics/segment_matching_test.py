import numpy as np
import pytest

from deeplab2.metrics.overlaps import count_overlaps
from deeplab2.metrics.segment_matching import Segments, match_segments

CLASS, OTHER = 4, 6


def segments(ids, classes=None, crowd=()):
  """Segments of class CLASS unless told otherwise."""
  classes = classes or {}
  return Segments(
    ids=np.array(ids, np.int64),
    classes=np.array([classes.get(i, CLASS) for i in ids], np.int64),
    crowd=np.array([i in crowd for i in ids], bool),
  )


def match(truth_row, prediction_row, truth, prediction):
  overlaps = count_overlaps(np.array([truth_row]), np.array([prediction_row]))
  return match_segments(overlaps, truth, prediction)


def counts(matches):
  return len(matches.matched), len(matches.spurious), len(matches.missed)


def test_equal_segments_match_fully():
  result = match([7, 7, 8], [1, 1, 2], segments([7, 8]), segments([1, 2]))
  assert counts(result) == (2, 0, 0)
  assert result.iou.tolist() == [1.0, 1.0]


def test_half_is_not_enough():
  result = match([7, 7], [1, 0], segments([7]), segments([1]))
  assert counts(result) == (0, 1, 1)
  result = match([7, 7, 7], [1, 1, 0], segments([7]), segments([1]))
  assert counts(result) == (1, 0, 0)
  assert result.iou.tolist() == [2 / 3]


def test_classes_must_agree():
  result = match([7], [1], segments([7]), segments([1], {1: OTHER}))
  assert result.missed.tolist() == [CLASS]
  assert result.spurious.tolist() == [OTHER]


def test_void_of_the_truth_is_cut_off_the_prediction():
  result = match([7, 7, 0, 0], [1, 1, 1, 1], segments([7]), segments([1]))
  assert result.iou.tolist() == [1.0]


@pytest.mark.parametrize("void, spurious", [(1, 1), (2, 1), (3, 0)])
def test_a_prediction_mostly_in_void_is_forgiven(void, spurious):
  truth_row = [0] * void + [7] * (4 - void) + [7] * 20
  prediction_row = [1] * 4 + [0] * 20
  result = match(truth_row, prediction_row, segments([7]), segments([1]))
  assert counts(result) == (0, spurious, 1)


def test_a_crowd_is_neither_found_nor_missed():
  result = match([7, 7], [1, 1], segments([7], crowd=[7]), segments([1]))
  assert counts(result) == (0, 0, 0)


def test_a_crowd_forgives_only_its_own_class():
  truth = segments([7], crowd=[7])
  result = match([7, 7], [1, 1], truth, segments([1], {1: OTHER}))
  assert counts(result) == (0, 1, 0)


def test_void_and_crowd_forgive_together():
  truth = segments([7, 8], {8: OTHER}, crowd=[7])
  result = match([0, 7, 7, 8, 8], [1] * 5, truth, segments([1]))
  assert counts(result) == (0, 0, 1)


def test_of_several_crowds_the_last_listed_counts():
  row, prediction = [7, 7, 7, 8], [1, 1, 1, 1]
  last = match(row, prediction, segments([8, 7], crowd=[7, 8]), segments([1]))
  first = match(row, prediction, segments([7, 8], crowd=[7, 8]), segments([1]))
  assert counts(last) == (0, 0, 0)
  assert counts(first) == (0, 1, 0)


def test_nothing_on_either_side():
  nothing = segments([])
  assert counts(match([0, 0], [0, 0], nothing, nothing)) == (0, 0, 0)
  assert counts(match([7, 7], [0, 0], segments([7]), nothing)) == (0, 0, 1)
  result = match([8, 8, 8], [1, 1, 0], segments([8], {8: OTHER}), segments([1]))
  assert counts(result) == (0, 1, 1)
