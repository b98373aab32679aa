"""Tests of whole augmentations."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.datasets.records import Record
from deeplab2.input.examples import augment, augment_and_paste, fit
from deeplab2.input.settings import InputSettings, read_settings
from deeplab2.input.testing import (
  TOY,
  eagerly_and_in_map,
  ramp_image,
  random_panoptic,
  toy_options,
)
from deeplab2.input.transforms.autoaugment import SIMPLE

VOID = 0


def toy_record(height: int, width: int, seed: int = 0) -> Record:
  """The image's channels hold the label's class, its instance, and 255."""
  panoptic = random_panoptic(height, width, seed) + 1  # 0 is the padding only
  image = np.stack(
    [panoptic // TOY.divisor, panoptic % TOY.divisor, 0 * panoptic + 255], -1
  )
  return Record(
    tf.constant(image, tf.uint8), tf.constant(panoptic), tf.constant("a")
  )


def toy_settings(**changes) -> InputSettings:
  return dataclasses.replace(read_settings(toy_options("")), **changes)


@pytest.mark.parametrize("seed", range(4))
def test_image_and_label_move_together(seed):
  settings = toy_settings()
  sample, valid = augment(
    toy_record(29, 43), settings, settings.scales, tf.constant([seed, 3]), VOID
  )
  inside = sample.image.numpy()[..., 2] > 250
  np.testing.assert_array_equal(sample.panoptic.numpy() != VOID, inside)
  assert inside.sum() == np.prod(valid)
  shown = sample.image.numpy()[..., 0] * 32 + sample.image.numpy()[..., 1]
  # Bilinear and nearest sampling differ at the borders of blocks.
  assert np.mean(shown[inside] == sample.panoptic.numpy()[inside]) > 0.6
  assert np.isin(
    sample.panoptic, np.append(toy_record(29, 43).panoptic, VOID)
  ).all()


def test_replays_eagerly_what_a_map_gave():
  settings = toy_settings(policy=SIMPLE)
  record = toy_record(29, 43)._replace(image=tf.constant(ramp_image(29, 43)))
  seed = tf.constant([2, 9])
  (eager, eager_size), (mapped, mapped_size) = eagerly_and_in_map(
    lambda record: augment(record, settings, settings.scales, seed, VOID),
    record,
  )
  np.testing.assert_array_equal(eager.image, mapped.image)
  np.testing.assert_array_equal(eager.panoptic, mapped.panoptic)
  np.testing.assert_array_equal(eager_size, mapped_size)


def test_seeds_give_different_views():
  settings = toy_settings()
  views = {
    augment(
      toy_record(29, 43), settings, settings.scales, tf.constant([1, i]), VOID
    )[0]
    .image.numpy()
    .tobytes()
    for i in range(6)
  }
  assert len(views) == 6


def test_pasting_mixes_two_images():
  settings = toy_settings(paste_scale=1.0)
  record, source = toy_record(29, 43, 1), toy_record(31, 41, 2)
  source = source._replace(image=source.image * 0 + 77)
  shares = []
  for i in range(8):
    sample, _ = augment_and_paste(
      record, source, settings, TOY.layout, tf.constant([1, i])
    )
    mask = sample.image.numpy()[..., 2] == 77
    shares.append(mask.mean())
    assert (sample.panoptic.numpy()[mask] >= 0).all()
  assert max(shares) > 0
  assert len(set(shares)) > 3


def test_fit_keeps_the_whole_image_at_the_top_left():
  settings = toy_settings()
  sample, valid = fit(toy_record(61, 43), settings, VOID)
  np.testing.assert_array_equal(valid, (33, 23))
  inside = np.zeros((33, 49), bool)
  inside[:33, :23] = True
  np.testing.assert_array_equal(sample.panoptic.numpy() != VOID, inside)
  assert (sample.image.numpy()[~inside] == 127.5).all()


def test_fit_without_limits_shrinks_what_is_too_large():
  settings = toy_settings(max_size=None)
  _, valid = fit(toy_record(101, 43), settings, VOID)
  assert valid[0] == 33
  _, valid = fit(toy_record(11, 13), settings, VOID)
  np.testing.assert_array_equal(valid, (11, 13))
