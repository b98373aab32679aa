import numpy as np
import pytest

from deeplab2.layers.drop_path import (
  drop_path_factors,
  drop_path_rate,
  scale_samples,
)

SEED = np.array([3, 5], "int32")


def test_linear_rates_grow_from_the_stem_to_the_last_stage():
  rates = [drop_path_rate(0.2, "linear", depth) for depth in range(5)]
  np.testing.assert_allclose(rates, [0, 0.05, 0.1, 0.15, 0.2])


def test_constant_rates_are_the_same_everywhere():
  assert {drop_path_rate(0.2, "constant", d) for d in range(5)} == {0.2}


def test_an_unknown_schedule_is_refused():
  with pytest.raises(ValueError) as error:
    drop_path_rate(0.2, "cosine", 1)
  assert str(error.value) == (
    "drop_path_schedule: expected one of ['constant', 'linear']; got 'cosine'."
  )


def test_a_path_is_dropped_or_scaled_to_keep_the_mean():
  factors = np.array(drop_path_factors([0.25, 0.5], 4001, SEED))
  for row, keep in zip(factors, (0.75, 0.5), strict=True):
    np.testing.assert_allclose(np.unique(row), [0, 1 / keep], rtol=1e-6)
    np.testing.assert_allclose(row.mean(), 1, atol=0.05)


def test_paths_and_samples_are_decided_apart():
  factors = np.array(drop_path_factors([0.5] * 7, 64, SEED)) > 0
  agreement = [
    np.mean(factors[i] == factors[j]) for i in range(7) for j in range(i)
  ]
  assert max(agreement) < 0.8
  assert 0 < factors.mean(axis=0).min() < factors.mean(axis=0).max() <= 1


def test_factors_are_a_function_of_the_seed():
  first = np.array(drop_path_factors([0.5], 64, SEED))
  np.testing.assert_array_equal(first, drop_path_factors([0.5], 64, SEED))
  other = np.array(drop_path_factors([0.5], 64, SEED + 1))
  assert np.abs(first - other).max() > 0


def test_scaling_acts_on_whole_samples():
  x = np.ones((3, 2, 5), "float32")
  y = np.array(scale_samples(x, np.array([0.0, 2.0, 1.0], "float32")))
  np.testing.assert_array_equal(y[0], 0)
  np.testing.assert_array_equal(y[1], 2)
  np.testing.assert_array_equal(y[2], 1)
  assert scale_samples(x, None) is x
