import numpy as np
import pytest

from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.stem import STEMS


@pytest.mark.parametrize(
  "name, multiplier, channels, parameters",
  [
    ("inception", 1.0, 128, 113_344),
    ("inception", 0.25, 32, 7_600),
    ("wide", 1.0, 64, 1_984),
    ("wide", 0.5, 32, 992),
  ],
)
def test_stems_halve_the_size(name, multiplier, channels, parameters):
  stem = STEMS[name](multiplier, NormOptions())
  y = stem(np.zeros((2, 17, 33, 3), "float32"))
  assert y.shape == (2, 9, 17, channels)
  assert stem.count_params() == parameters


@pytest.mark.parametrize("name", sorted(STEMS))
def test_stems_do_not_rectify_their_output(name):
  stem = STEMS[name](1.0, NormOptions())
  x = np.random.default_rng(0).normal(size=(1, 17, 17, 3))
  assert np.array(stem(x)).min() < 0
