import collections

import numpy as np
import pytest

from deeplab2.metrics import overlaps as overlaps_module
from deeplab2.metrics.overlaps import count_overlaps

H, W = 11, 13


def random_map(seed, ids=5, scale=1):
  rng = np.random.default_rng(seed)
  return rng.integers(0, ids, (H, W)) * scale


def boxes(seed, shape, ids):
  """A map of wide segments: boxes, one over another."""
  rng = np.random.default_rng(seed)
  result = np.zeros(shape, np.int64)
  for top, left in rng.integers(0, shape, (31, 2)):
    result[top : top + shape[0] // 3, left : left + shape[1] // 3] = (
      rng.integers(0, ids)
    )
  return result


def assert_counts(truth, prediction):
  """Compares with a count of one pixel after the other."""
  expected = collections.Counter(
    zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True)
  )
  result = count_overlaps(truth, prediction)
  assert {x.dtype for x in result} == {np.dtype(np.int64)}
  truth, prediction, area = (x.tolist() for x in result)
  pairs = list(zip(truth, prediction, strict=True))
  assert dict(zip(pairs, area, strict=True)) == expected
  assert pairs == sorted(expected)


@pytest.mark.parametrize("ids", [1, 2, 5, 10**6])
@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint8])
def test_counts_every_pixel_once(ids, dtype):
  assert_counts(
    random_map(0, ids).astype(dtype), random_map(1, ids).astype(dtype)
  )


def test_maps_may_differ_in_dtype():
  assert_counts(
    random_map(0, 200).astype(np.uint8), random_map(1, 10**9).astype(np.uint64)
  )


# Small ids go along with their areas in one number, large ones cannot.
@pytest.mark.parametrize("truth_scale", [1, 2**29])
@pytest.mark.parametrize("prediction_scale", [1, 2**29])
@pytest.mark.parametrize("maps", [random_map, boxes])
def test_counts_across_blocks(monkeypatch, truth_scale, prediction_scale, maps):
  monkeypatch.setattr(overlaps_module, "_BLOCK", 19)
  shape = () if maps is random_map else ((H, W),)
  assert_counts(
    maps(0, *shape, 7) * truth_scale, maps(1, *shape, 7) * prediction_scale
  )


@pytest.mark.parametrize("ids, scale", [(31, 1), (31, 2**27), (10**4, 1)])
@pytest.mark.parametrize("noise", [False, True])
def test_counts_maps_of_several_blocks(ids, scale, noise):
  shape = 433, 607
  assert np.prod(shape) > 2 * overlaps_module._BLOCK
  truth, prediction = boxes(0, shape, ids), boxes(1, shape, ids)
  if noise:
    rng = np.random.default_rng(2)
    truth, prediction = rng.integers(0, ids, (2, *shape))
  assert_counts(truth * scale, prediction * scale)


def test_a_constant_map_fills_its_blocks():
  # An area of a whole block must not spill into the id.
  ones = np.ones((3, overlaps_module._BLOCK), np.int32)
  result = count_overlaps(ones, ones * 2)
  assert [x.tolist() for x in result] == [[1], [2], [ones.size]]


@pytest.mark.parametrize("bits", range(12, 33))
def test_ids_of_any_length_are_kept_apart(bits):
  largest = 2**bits - 1
  truth = np.array([[largest, largest, 0, 1, largest - 1]])
  assert_counts(truth, truth[:, ::-1])
  assert_counts(truth, truth)


@pytest.mark.parametrize("width", range(1, 34))
def test_a_single_row_of_any_width(width):
  rng = np.random.default_rng(width)
  truth, prediction = rng.integers(0, 3, (2, 1, width))
  assert_counts(truth, prediction)
  assert_counts(truth.T, prediction.T)


def test_maps_need_not_be_contiguous():
  truth, prediction = random_map(0), random_map(1)
  assert_counts(truth.T, prediction.T)
  assert_counts(
    truth[::-1, ::2], prediction[:, 1::2][:, ::-1].repeat(2, 1)[:, :7]
  )


def test_maps_are_left_as_they_are():
  truth, prediction = random_map(0), random_map(1)
  before = truth.copy(), prediction.copy()
  count_overlaps(truth, prediction)
  np.testing.assert_array_equal((truth, prediction), before)


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
    (
      np.array([[3, 2**32]]),
      np.zeros((1, 2), int),
      "truth: expected ids of 0 .. 2**32 - 1; got 3 .. 4294967296.",
    ),
    (
      np.array([[3, -5, 7]], np.int8),
      np.zeros((1, 3), int),
      "truth: expected ids of 0 .. 2**32 - 1; got -5 .. 7.",
    ),
  ],
)
def test_maps_that_are_none_are_refused(truth, prediction, message):
  with pytest.raises(ValueError) as error:
    count_overlaps(truth, prediction)
  assert str(error.value) == message
