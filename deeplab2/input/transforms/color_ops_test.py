"""Tests of the colour operations, against Pillow and the original."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from deeplab2.input.testing import eagerly_and_in_map, ramp_image
from deeplab2.input.transforms import color_ops

# Sums of the results on ramp_image(37, 53), by google-research/deeplab2 at
# 64bc1c1a. Its contrast is left out: it takes a wrong mean.
RECORDED = [
  ("equalize", (), 813992),
  ("invert", (), 749611),
  ("posterize", (3,), 659488),
  ("solarize", (179,), 431479),
  ("brightness", (1.9,), 1102962),
  ("brightness", (0.46,), 342293),
]
# The same of operations whose greys and sums the original cuts and we round.
NEARLY = [
  ("color", (1.72,), 760989),
  ("color", (0.5,), 746917),
  ("sharpness", (1.36,), 748882),
  ("sharpness", (0.28,), 747494),
]


@pytest.mark.parametrize(("name", "arguments", "total"), RECORDED)
def test_operation_is_that_of_the_original(name, arguments, total):
  operation = getattr(color_ops, name)
  for result in eagerly_and_in_map(
    lambda image: operation(image, *arguments), ramp_image(37, 53)
  ):
    assert result.dtype == tf.uint8
    assert np.sum(result, dtype=np.int64) == total


@pytest.mark.parametrize(("name", "arguments", "total"), NEARLY)
def test_operation_is_that_of_the_original_but_for_rounding(
  name, arguments, total
):
  image = ramp_image(37, 53)
  result = getattr(color_ops, name)(tf.constant(image), *arguments)
  assert abs(np.sum(result, dtype=np.int64) - total) < 0.5 * image.size


def random_image(seed: int) -> np.ndarray:
  """Smooth, so that smoothing changes little; values from 20 to 200."""
  coarse = np.random.default_rng(seed).integers(20, 200, (5, 7, 3), np.uint8)
  picture = Image.fromarray(coarse).resize((31, 23), Image.Resampling.BILINEAR)
  return np.asarray(picture)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
  ("name", "pillow"),
  [
    ("autocontrast", ImageOps.autocontrast),
    ("equalize", ImageOps.equalize),
    ("invert", ImageOps.invert),
    ("posterize", lambda image: ImageOps.posterize(image, 3)),
    ("solarize", lambda image: ImageOps.solarize(image, 101)),
    ("color", lambda image: ImageEnhance.Color(image).enhance(1.7)),
    ("contrast", lambda image: ImageEnhance.Contrast(image).enhance(1.7)),
    ("brightness", lambda image: ImageEnhance.Brightness(image).enhance(1.7)),
    ("sharpness", lambda image: ImageEnhance.Sharpness(image).enhance(1.7)),
  ],
)
def test_operation_does_what_pillow_does(name, pillow, seed):
  arguments = {"posterize": (3,), "solarize": (101,)}
  exact = ("autocontrast", "equalize", "invert")
  default = () if name in exact else (1.7,)
  image = random_image(seed)
  ours = getattr(color_ops, name)(
    tf.constant(image), *arguments.get(name, default)
  )
  theirs = np.asarray(pillow(Image.fromarray(image)), np.int32)
  difference = np.abs(np.asarray(ours, np.int32) - theirs)
  assert difference.max() <= (2 if default else 1)


def test_autocontrast_reaches_both_ends_and_leaves_flat_channels():
  image = ramp_image(37, 53) // 2 + 40
  image[..., 2] = 99
  result = color_ops.autocontrast(tf.constant(image)).numpy()
  assert result[..., :2].min() == 0
  assert result[..., :2].max() == 255
  assert (result[..., 2] == 99).all()


def test_equalize_leaves_an_image_of_few_pixels():
  image = tf.constant(ramp_image(3, 5))
  np.testing.assert_array_equal(color_ops.equalize(image), image)


def test_solarize_knows_both_ends():
  image = tf.constant(ramp_image(5, 7))
  np.testing.assert_array_equal(color_ops.solarize(image, 256), image)
  np.testing.assert_array_equal(color_ops.solarize(image, 0), 255 - image)


@pytest.mark.parametrize(
  "name", ["color", "contrast", "brightness", "sharpness"]
)
def test_factor_one_changes_nothing(name):
  image = tf.constant(ramp_image(11, 13))
  result = getattr(color_ops, name)(image, 1.0)
  np.testing.assert_array_equal(result, image)


def test_factor_zero_takes_the_quality_away():
  image = tf.constant(ramp_image(11, 13))
  assert np.ptp(color_ops.color(image, 0.0), axis=-1).max() == 0
  assert np.ptp(color_ops.contrast(image, 0.0)) == 0
  assert np.max(color_ops.brightness(image, 0.0)) == 0


def test_invert_twice_is_the_identity():
  image = tf.constant(ramp_image(5, 7))
  twice = color_ops.invert(color_ops.invert(image))
  np.testing.assert_array_equal(twice, image)
