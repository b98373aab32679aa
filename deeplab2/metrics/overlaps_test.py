import collections

import numpy as np
import pytest

from deeplab2.metrics.overlaps import count_overlaps

H, W = 11, 13


def random_map(seed, ids=5, scale=1):
  rng = np.random.default_rng(seed)
  return rng.integers(0, ids, (H, W)) * scale


@pytest.mark.parametrize("ids", [1, 2, 5, 10**6])
@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint8])
def test_counts_every_pixel_once(ids, dtype):
  truth = random_map(0, ids).astype(dtype)
  prediction = random_map(1, ids).astype(dtype)
  expected = collections.Counter(
    zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True)
  )
  truth, prediction, area = (
    x.tolist() for x in count_overlaps(truth, prediction)
  )
  pairs = list(zip(truth, prediction, strict=True))
  assert dict(zip(pairs, area, strict=True)) == expected
  assert pairs == sorted(expected)


def test_the_largest_ids_are_kept_apart():
  truth = np.array([[0, 2**32 - 1, 2**31]])
  overlaps = count_overlaps(truth, truth[:, ::-1])
  assert overlaps.truth.tolist() == [0, 2**31, 2**32 - 1]
  assert overlaps.prediction.tolist() == [2**31, 0, 2**32 - 1]


def test_uniform_and_empty_maps():
  ones = np.ones((H, W), np.int32)
  assert [x.tolist() for x in count_overlaps(ones, ones * 3)] == [
    [1],
    [3],
    [H * W],
  ]
  assert len(count_overlaps(ones[:0], ones[:0]).area) == 0


@pytest.mark.parametrize(
  "truth, prediction, message",
  [
    (
      np.zeros((H, W), int),
      np.zeros((W, H), int),
      "prediction: expected a map of height and width as the truth's, "
      "(11, 13); got (13, 11).",
    ),
    (
      np.zeros((H, W)),
      np.zeros((H, W), int),
      "truth: expected integer ids; got float64.",
    ),
    (
      np.zeros((H, W), int),
      np.full((H, W), -1),
      "prediction: expected ids of 0 .. 2**32 - 1; got -1 .. -1.",
    ),
  ],
)
def test_maps_that_are_none_are_refused(truth, prediction, message):
  with pytest.raises(ValueError) as error:
    count_overlaps(truth, prediction)
  assert str(error.value) == message
