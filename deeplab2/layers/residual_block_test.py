import numpy as np
import pytest

from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.residual_block import (
  AxialBlock,
  BasicBlock,
  BottleneckBlock,
)

B, H, W = 3, 5, 7
NORM = NormOptions()
BLOCKS = [
  (BasicBlock, (6, 6)),
  (BottleneckBlock, (3, 5, 6)),
  (AxialBlock, (3, 8, 16, 6)),
]
each_block = pytest.mark.parametrize("kind, channels", BLOCKS)


def _image(channels, seed=0):
  rng = np.random.default_rng(seed)
  return rng.normal(size=(B, H, W, channels)).astype("float32")


def _open(block):
  """Gives the branch weight, whose last gamma starts at zero."""
  last = getattr(block, "conv3_bn", None) or block.conv2_bn
  last.batch_norm.gamma.assign(np.ones(last.batch_norm.gamma.shape))


@each_block
def test_a_new_block_is_its_shortcut(kind, channels):
  x = _image(channels[-1])
  np.testing.assert_array_equal(kind(channels, NORM)(x), np.maximum(x, 0))


@each_block
def test_the_branch_is_added_to_the_rectified_input(kind, channels):
  block = kind(channels, NORM)
  x = _image(channels[-1])
  block(x)
  _open(block)
  branch = np.array(block(x)) - np.maximum(x, 0)
  assert branch.min() < 0 < branch.max()
  # The block sees nothing of what ReLU takes away.
  np.testing.assert_array_equal(block(x), block(np.maximum(x, 0)))


@each_block
def test_a_change_of_depth_projects_the_shortcut(kind, channels):
  block = kind(channels, NORM)
  x = _image(4)
  assert block(x).shape == (B, H, W, channels[-1])
  np.testing.assert_allclose(block(x), block.shortcut(np.maximum(x, 0)))


@pytest.mark.parametrize("kind, channels", BLOCKS[:2])
def test_a_stride_halves_the_size(kind, channels):
  block = kind(channels, NORM, strides=2)
  assert block(_image(channels[-1])).shape == (B, 3, 4, channels[-1])


@each_block
def test_drop_path_scales_the_branch_of_a_sample(kind, channels):
  block = kind(channels, NORM)
  x = _image(channels[-1])
  block(x)
  _open(block)
  shortcut = np.maximum(x, 0)
  branch = np.array(block(x)) - shortcut
  keep = np.array([0.0, 2.0, 1.0], "float32")
  expected = shortcut + branch * keep[:, None, None, None]
  np.testing.assert_allclose(block(x, keep=keep), expected, atol=1e-5)


def test_axial_blocks_have_no_stride():
  with pytest.raises(ValueError, match="axial block strides: expected 1; got"):
    AxialBlock((3, 8, 16, 6), NORM, strides=2)
