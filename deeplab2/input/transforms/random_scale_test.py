"""Tests of random scaling."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.config import dataset_pb2
from deeplab2.input.testing import eagerly_and_in_map
from deeplab2.input.transforms.random_scale import (
  ScaleRange,
  random_scale,
)


@pytest.mark.parametrize(
  ("minimum", "maximum", "step", "count"),
  [(0.5, 1.5, 0.1, 11), (0.5, 2.0, 0.1, 16), (0.5, 2.0, 0.25, 7)],
)
def test_both_ends_belong_to_the_set_also_in_float32(
  minimum, maximum, step, count
):
  stored = dataset_pb2.DatasetOptions.AugmentationOptions(
    min_scale_factor=minimum,
    max_scale_factor=maximum,
    scale_factor_step_size=step,
  )
  factors = ScaleRange(
    stored.min_scale_factor,
    stored.max_scale_factor,
    stored.scale_factor_step_size,
  ).factors
  expected = minimum + step * np.arange(count)
  np.testing.assert_allclose(factors, expected, rtol=1e-6)


def test_a_step_that_does_not_divide_the_range_is_stretched():
  assert ScaleRange(1.0, 2.0, 0.4).factors == (1.0, 1.5, 2.0)


def test_a_step_beyond_the_range_leaves_the_smallest_factor():
  assert ScaleRange(1.0, 1.2, 0.25).factors == (1.0,)


def test_every_factor_is_drawn_and_no_other():
  scales = ScaleRange(0.5, 1.5, 0.25)
  seeds = tf.stack([tf.zeros(200, tf.int64), tf.range(200, dtype=tf.int64)], 1)
  drawn = [float(random_scale(scales, seed)) for seed in seeds]
  values, counts = np.unique(drawn, return_counts=True)
  np.testing.assert_allclose(values, scales.factors)
  assert counts.min() > 20


def test_step_zero_draws_from_the_whole_interval():
  scales = ScaleRange(0.5, 1.5, 0.0)
  drawn = [float(random_scale(scales, (3, i))) for i in range(50)]
  assert len(set(drawn)) == 50
  assert 0.5 <= min(drawn) < 0.7 < 1.3 < max(drawn) < 1.5


def test_same_seed_same_factor_in_a_map():
  scales = ScaleRange(0.5, 1.5, 0.1)
  eager, mapped = eagerly_and_in_map(
    lambda seed: random_scale(scales, seed), tf.constant([5, 7])
  )
  assert float(eager) == float(mapped)


def test_times_scales_every_factor():
  scales = ScaleRange(0.5, 1.5, 0.25)
  doubled = 2 * np.array(scales.factors)
  np.testing.assert_allclose(scales.times(2.0).factors, doubled)


@pytest.mark.parametrize(
  ("minimum", "maximum", "step", "message"),
  [
    (
      1.5,
      0.5,
      0.1,
      "min_scale_factor: expected above 0 and at most max_scale_factor, such "
      "as 0.5 and 1.5; got 1.5 and 0.5.",
    ),
    (
      0.0,
      0.5,
      0.1,
      "min_scale_factor: expected above 0 and at most max_scale_factor, such "
      "as 0.5 and 1.5; got 0.0 and 0.5.",
    ),
    (
      0.5,
      1.5,
      -1.0,
      "scale_factor_step_size: expected 0 or more, such as 0.1; got -1.0.",
    ),
  ],
)
def test_bad_ranges_are_refused(minimum, maximum, step, message):
  with pytest.raises(ValueError) as error:
    ScaleRange(minimum, maximum, step)
  assert str(error.value) == message
