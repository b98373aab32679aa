import numpy as np
import pytest

from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.dual_path_transformer import DualPathTransformer

B, H, W, C, N, D = 2, 3, 5, 7, 11, 13
NORM = NormOptions()


def _inputs(seed=0):
  rng = np.random.default_rng(seed)
  pixels = rng.normal(size=(B, H, W, C)).astype("float32")
  memory = rng.normal(size=(B, N, D)).astype("float32")
  return pixels, memory


def _opened():
  """A layer whose branches, closed at first by zero gammas, have weight."""
  layer = DualPathTransformer(8, 17, NORM)
  layer(*_inputs())
  for end in ("memory_conv3_bn", "memory_ffn_conv2_bn", "pixel_conv3_bn"):
    gamma = getattr(layer, end).batch_norm.gamma
    gamma.assign(np.ones(gamma.shape))
  return layer


def test_a_new_layer_passes_pixels_and_rectifies_memory():
  pixels, memory = _inputs()
  new_pixels, new_memory = DualPathTransformer(8, 17, NORM)(pixels, memory)
  np.testing.assert_array_equal(new_pixels, pixels)
  np.testing.assert_array_equal(new_memory, np.maximum(memory, 0))


def test_slots_have_no_order():
  layer = _opened()
  pixels, memory = _inputs()
  order = np.random.default_rng(1).permutation(N)
  pixels1, memory1 = layer(pixels, memory)
  pixels2, memory2 = layer(pixels, memory[:, order])
  np.testing.assert_allclose(pixels1, pixels2, atol=1e-5)
  np.testing.assert_allclose(np.array(memory1)[:, order], memory2, atol=1e-5)


def test_pixels_have_no_order():
  layer = _opened()
  pixels, memory = _inputs()
  pixels1, memory1 = layer(pixels, memory)
  pixels2, memory2 = layer(pixels[:, ::-1], memory)
  np.testing.assert_allclose(np.array(pixels1)[:, ::-1], pixels2, atol=1e-5)
  np.testing.assert_allclose(memory1, memory2, atol=1e-5)


def test_both_paths_see_both():
  layer = _opened()
  pixels, memory = _inputs()
  before = [np.array(x) for x in layer(pixels, memory)]
  other_pixel, other_slot = pixels.copy(), memory.copy()
  other_pixel[:, 0, 0] += 1
  other_slot[:, 0] += 1
  for changed in (layer(other_pixel, memory), layer(pixels, other_slot)):
    memory_moved = np.abs(before[1] - changed[1]).max(axis=(0, 2))
    assert (memory_moved > 0).all()
  pixels_moved = np.abs(before[0] - layer(pixels, other_slot)[0])
  assert (pixels_moved.max(axis=(0, 3)) > 0).all()


def test_dropped_paths_leave_their_sample_alone():
  layer = _opened()
  pixels, memory = _inputs()
  keep = np.array([[0.0, 1.0]] * 3, "float32")
  new_pixels, new_memory = layer(pixels, memory, keep=keep)
  np.testing.assert_array_equal(new_pixels[0], pixels[0])
  np.testing.assert_array_equal(new_memory[0], np.maximum(memory[0], 0))
  whole = layer(pixels, memory)
  np.testing.assert_array_equal(new_pixels[1], whole[0][1])
  np.testing.assert_array_equal(new_memory[1], whole[1][1])


def test_each_of_the_three_paths_has_its_own_factor():
  layer = _opened()
  pixels, memory = _inputs()
  whole = [np.array(x) for x in layer(pixels, memory)]
  for path in range(3):
    keep = np.ones((3, B), "float32")
    keep[path] = 0
    y = layer(pixels, memory, keep=keep)
    same = [np.array_equal(a, b) for a, b in zip(whole, y, strict=True)]
    assert same == ([False, True] if path == 0 else [True, False])


def test_widths_that_the_heads_cannot_share_are_refused():
  with pytest.raises(ValueError, match=r"transformer width: .* got 12"):
    DualPathTransformer(12, 17, NORM)
