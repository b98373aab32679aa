import numpy as np
import pytest

from deeplab2.layers.aspp import ASPP, window_mean
from deeplab2.layers.batch_norm import NormOptions

B, H, W, C, D = 2, 7, 5, 3, 11
NORM = NormOptions()
SEED = np.array([3, 5], "int32")


def _image(seed=0):
  rng = np.random.default_rng(seed)
  return rng.normal(size=(B, H, W, C)).astype("float32")


def _window_mean_slowly(x, window):
  height, width = (min(a, b) for a, b in zip(window, x.shape[1:3], strict=True))
  return np.stack(
    [
      np.stack(
        [
          x[:, i : i + height, j : j + width].mean(axis=(1, 2))
          for j in range(x.shape[2] - width + 1)
        ],
        axis=1,
      )
      for i in range(x.shape[1] - height + 1)
    ],
    axis=1,
  )


@pytest.mark.parametrize("window", [(3, 2), (7, 5), (1, 1), (41, 3), (41, 41)])
def test_window_means_agree_with_loops(window):
  x = _image()
  np.testing.assert_allclose(
    window_mean(x, window), _window_mean_slowly(x, window), atol=1e-6
  )


def test_without_a_window_the_mean_is_global():
  x = _image()
  np.testing.assert_allclose(
    window_mean(x, None), x.mean(axis=(1, 2), keepdims=True), atol=1e-6
  )


@pytest.mark.parametrize("pool_size", [None, (2, 3), (41, 41)])
def test_the_size_is_kept(pool_size):
  aspp = ASPP(D, (1, 2, 3), NORM, pool_size=pool_size)
  assert aspp(_image()).shape == (B, H, W, D)


def test_a_projection_alone_has_one_layer():
  aspp = ASPP(D, (), NORM, only_projection=True)
  assert aspp(_image()).shape == (B, H, W, D)
  assert len(aspp.trainable_variables) == 3


def test_dropout_acts_in_training_with_a_seed_only():
  aspp = ASPP(D, (1, 2, 3), NORM)
  x = _image()
  plain = np.array(aspp(x, training=True))
  np.testing.assert_allclose(aspp(x, seed=SEED), aspp(x))
  y = np.array(aspp(x, training=True, seed=SEED))
  dropped = (y == 0) & (plain > 0)
  np.testing.assert_allclose(y[~dropped], plain[~dropped] / 0.9, rtol=1e-5)
  assert 0.02 < dropped.sum() / (plain > 0).sum() < 0.2


def test_other_than_three_rates_are_refused():
  with pytest.raises(ValueError) as error:
    ASPP(D, (6, 12), NORM)
  assert str(error.value) == (
    "atrous_rates: expected three, such as 6, 12, 18; got [6, 12]."
  )
