"""Tests of the colour policies."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.input.testing import eagerly_and_in_map, ramp_image
from deeplab2.input.transforms.autoaugment import (
  POLICIES,
  SIMPLE,
  Step,
  apply_step,
  find_policy,
  random_colors,
)
from deeplab2.structures import Sample


def float_sample() -> Sample:
  image = tf.cast(ramp_image(13, 17), tf.float32)
  return Sample(image, tf.reshape(tf.range(13 * 17), [13, 17]))


def test_eager_and_mapped_agree_and_the_label_stays():
  for i in range(2):
    eager, mapped = eagerly_and_in_map(
      lambda sample, i=i: random_colors(sample, SIMPLE, tf.constant([1, i])),
      float_sample(),
    )
    np.testing.assert_array_equal(eager.image, mapped.image)
    np.testing.assert_array_equal(mapped.panoptic, float_sample().panoptic)
    assert mapped.image.dtype == tf.float32


def test_steps_happen_with_their_probabilities():
  never = Step("invert", 0.0, 0)
  always = Step("invert", 1.0, 0)
  policy = ((always, never), (always, always), (never, never))
  sample = float_sample()
  inverted = [
    bool(np.any(random_colors(sample, policy, (7, i)).image != sample.image))
    for i in range(60)
  ]
  assert 8 <= sum(inverted) <= 32  # one pair of three changes the image


def test_colors_do_change_under_the_shipped_policy():
  sample = float_sample()
  changed = [
    bool(np.any(random_colors(sample, SIMPLE, (7, i)).image != sample.image))
    for i in range(60)
  ]
  assert 10 <= sum(changed) <= 50


def test_scaled_policy_has_a_fifth_of_the_levels():
  scaled = POLICIES["simple_classification_policy_magnitude_scale_0.2"]
  for pair, weak_pair in zip(SIMPLE, scaled, strict=True):
    for step, weak in zip(pair, weak_pair, strict=True):
      assert weak == step._replace(level=step.level * 0.2)


@pytest.mark.parametrize(
  ("step", "pixel", "expected"),
  [
    (Step("brightness", 1, 10), 100, 190),
    (Step("brightness", 1, 0), 100, 10),
    (Step("solarize", 1, 7), 179, 76),
    (Step("solarize", 1, 7), 178, 178),
    (Step("posterize", 1, 9), 255, 224),
    (Step("posterize", 1, 1.8), 255, 128),
    (Step("invert", 1, 0), 3, 252),
  ],
)
def test_levels_mean_what_they_mean_in_the_paper(step, pixel, expected):
  image = tf.fill([5, 7, 3], tf.constant(pixel, tf.uint8))
  assert (apply_step(image, step).numpy() == expected).all()


def test_unknown_names_are_refused():
  with pytest.raises(ValueError) as error:
    find_policy("simple")
  assert str(error.value) == (
    "autoaugment_policy_name: expected one of "
    "['simple_classification_policy', "
    "'simple_classification_policy_magnitude_scale_0.2']; got 'simple'."
  )
  with pytest.raises(ValueError, match="operation: not a colour operation"):
    apply_step(tf.zeros([3, 3, 3], tf.uint8), Step("shear", 1, 3))
