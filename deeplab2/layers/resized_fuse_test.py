import numpy as np

from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.resize import resize_align_corners
from deeplab2.layers.resized_fuse import ResizedFuse

B, H, W = 2, 33, 17  # of the image at stride 8, say
NORM = NormOptions()


def _features(strides, depths, height=H, width=W, seed=0):
  rng = np.random.default_rng(seed)
  return [
    rng.normal(size=(B, (height - 1) // s + 1, (width - 1) // s + 1, d)).astype(
      "float32"
    )
    for s, d in zip(strides, depths, strict=True)
  ]


def test_the_sum_of_what_each_input_becomes():
  fuse = ResizedFuse(5, 8, [16, 8, 4], NORM)
  coarse, same, fine = _features((16, 8, 4), (3, 5, 7))
  y = np.array(fuse([coarse, same, fine]))
  up = fuse.resized_conv_bn1(np.maximum(coarse, 0))
  down = np.array(fuse.strided_conv_bn3(np.maximum(fine, 0)))
  expected = np.array(resize_align_corners(up, same.shape[1:3])) + same + down
  np.testing.assert_allclose(y, expected, atol=1e-5)


def test_an_input_of_the_right_depth_has_no_variables():
  fuse = ResizedFuse(5, 8, [16, 8], NORM)
  fuse(_features((16, 8), (5, 5)))
  assert not fuse.variables


def test_one_layer_serves_every_size():
  fuse = ResizedFuse(5, 4, [8, 4], NORM)
  fuse(_features((8, 4), (3, 5)))
  count = len(fuse.variables)
  y = fuse(_features((8, 4), (3, 5), height=17, width=49))
  assert y.shape == (B, 5, 13, 5)
  assert len(fuse.variables) == count


def test_the_smallest_image_takes_the_same_way():
  """At 17 pixels strides 16 and 8 have 2 and 3 places a side."""
  fuse = ResizedFuse(5, 16, [8, 16], NORM)
  y = fuse(_features((8, 16), (3, 5), height=17, width=17))
  assert y.shape == (B, 2, 2, 5)
  assert hasattr(fuse, "strided_conv_bn1")
