"""Tests of the masks made from label maps."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.losses import mask_targets, random_scenes
from deeplab2.losses.random_scenes import LAYOUT, MAX_THINGS


def make(targets, **kwargs):
  return mask_targets.mask_targets(
    targets._replace(
      semantic=tf.constant(targets.semantic),
      thing_id=tf.constant(targets.thing_id),
      thing_class=tf.constant(targets.thing_class),
    ),
    LAYOUT,
    **kwargs,
  )


def slow_masks(targets, image):
  """(class id, boolean map) of each mask of an image, in any order."""
  for thing, label in enumerate(targets.thing_class[image]):
    pixels = targets.thing_id[image] == thing
    if label >= 0 and pixels.any():
      yield int(label), pixels
  for label in LAYOUT.stuff_ids:
    pixels = targets.semantic[image] == label
    if pixels.any():
      yield label, pixels


@pytest.mark.parametrize("drop_absent", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_masks_are_the_things_and_the_stuff(seed, drop_absent):
  targets = random_scenes.random_targets(seed, things=3 * seed)
  found = make(targets, drop_absent=drop_absent)
  for image in range(2):
    expected = {(k, m.tobytes()) for k, m in slow_masks(targets, image)}
    channel = found.channel[image].numpy()
    rows = np.flatnonzero(found.present[image])
    masks = found.masks.numpy()[image].T
    masks = masks.reshape(-1, *targets.semantic.shape[1:])
    got = {
      (LAYOUT.class_ids[channel[k]], (masks[k] == 1).tobytes()) for k in rows
    }
    assert got == expected
    np.testing.assert_array_equal(found.area[image], masks.sum((1, 2)))
    assert set(np.delete(found.area[image], rows)) <= {0.0}


def test_every_mask_keeps_its_row_unless_absent_ones_are_dropped():
  targets = random_scenes.random_targets(0, things=2)
  kept = make(targets, drop_absent=False)
  assert kept.masks.shape[2] == MAX_THINGS + len(LAYOUT.stuff_ids)
  np.testing.assert_array_equal(
    kept.present[:, MAX_THINGS:], [[True, True]] * 2
  )
  dropped = make(targets)
  assert dropped.masks.shape[2] == kept.present.numpy().sum(1).max()


def test_void_crowd_and_things_are_told_apart():
  targets = random_scenes.random_targets(0)
  found = make(targets)
  flat = lambda x: x.reshape(len(x), -1)
  np.testing.assert_array_equal(found.labelled, flat(targets.semantic != 0))
  np.testing.assert_array_equal(found.is_thing, flat(targets.thing_id >= 0))
  crowd = found.labelled.numpy() & ~found.has_mask.numpy()
  np.testing.assert_array_equal(crowd, flat(targets.crowd))
  np.testing.assert_array_equal(
    found.masks.numpy().sum(2), found.has_mask.numpy()
  )


def test_an_empty_image_has_no_mask():
  found = make(random_scenes.random_targets(things=0, stuff=False, crowd=False))
  assert not found.present.numpy().any()
  assert not found.labelled.numpy().any()
  assert found.masks.shape[2] == 2


def test_a_thing_of_a_class_outside_the_layout_is_no_mask():
  targets = random_scenes.random_targets(0, things=1, stuff=False, crowd=False)
  targets.thing_class[targets.thing_class >= 0] = 4
  found = make(targets)
  assert not found.present.numpy().any()
  assert not found.has_mask.numpy().any()


def test_regions_are_masks_and_crowd_and_void():
  targets = random_scenes.random_targets(0)
  area = mask_targets.region_area(make(targets)).numpy()
  for image in range(2):
    region = targets.thing_id[image] * 100 + targets.semantic[image]
    expected = [np.sum(region == pixel) for pixel in region.ravel()]
    np.testing.assert_array_equal(area[image], expected)


def test_maps_of_the_image_are_taken_by_their_stride():
  targets = random_scenes.random_targets(0, size=(13, 17))
  small = mask_targets.stride_targets(targets, (4, 5))
  for name in ("semantic", "semantic_weight", "thing_id", "crowd", "panoptic"):
    whole, part = getattr(targets, name), getattr(small, name)
    assert part.shape == (2, 4, 5)
    np.testing.assert_array_equal(part[:, 1, 2], whole[:, 4, 8])
  assert small.thing_class is targets.thing_class


def test_maps_of_the_right_size_are_left_alone():
  targets = random_scenes.random_targets(0)
  size = targets.semantic.shape[1:]
  assert mask_targets.stride_targets(targets, size) is targets


@pytest.mark.parametrize("size", [(4, 6), (12, 5), (3, 5), (26, 33), (1, 5)])
def test_sizes_without_a_common_stride_are_refused(size):
  targets = random_scenes.random_targets(0, size=(13, 17))
  with pytest.raises(ValueError) as error:
    mask_targets.stride_targets(targets, size)
  assert str(error.value) == (
    "targets: expected maps of s * (height - 1) + 1 rows and s * (width - 1) "
    f"+ 1 columns for logits of {size}; got (13, 17)."
  )
