import numpy as np
import pytest

from deeplab2.layers.resize import resize_align_corners, resize_by_gather

B, D = 2, 3
SIZES = [((3, 5), (5, 9)), ((9, 5), (5, 3)), ((1, 1), (4, 7)), ((7, 4), (1, 1))]


def _image(size, seed=0):
  rng = np.random.default_rng(seed)
  return rng.normal(size=(B, *size, D)).astype("float32")


@pytest.mark.parametrize("before, after", SIZES)
def test_both_forms_agree(before, after):
  x = _image(before)
  np.testing.assert_allclose(
    resize_align_corners(x, after), resize_by_gather(x, after), atol=1e-6
  )


@pytest.mark.parametrize("resize", [resize_align_corners, resize_by_gather])
def test_corners_stay_and_known_pixels_are_kept(resize):
  x = _image((3, 5))
  y = np.array(resize(x, (5, 9)))
  np.testing.assert_allclose(y[:, ::2, ::2], x, atol=1e-6)
  np.testing.assert_allclose(
    y[:, 0, 1], (x[:, 0, 0] + x[:, 0, 1]) / 2, atol=1e-6
  )


@pytest.mark.parametrize("resize", [resize_align_corners, resize_by_gather])
def test_a_plane_stays_a_plane(resize):
  rows, columns = np.meshgrid(np.arange(4.0), np.arange(6.0), indexing="ij")
  x = (2 * rows + 3 * columns).astype("float32")[None, :, :, None]
  y = np.array(resize(x, (7, 11)))[0, :, :, 0]
  np.testing.assert_allclose(np.diff(y, axis=0), 1.0, atol=1e-5)
  np.testing.assert_allclose(np.diff(y, axis=1), 1.5, atol=1e-5)


def test_the_same_size_is_the_same_tensor():
  x = _image((3, 5))
  assert resize_align_corners(x, (3, 5)) is x


def test_the_dtype_is_kept():
  import keras

  x = keras.ops.cast(_image((3, 5)), "bfloat16")
  y = resize_align_corners(x, (5, 9))
  assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
