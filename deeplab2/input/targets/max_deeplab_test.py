"""Tests of MaX-DeepLab's targets, against the original and an obvious loop."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.datasets import load_dataset
from deeplab2.input.targets.max_deeplab import max_deeplab_targets
from deeplab2.input.targets.small_instances import SmallInstances
from deeplab2.input.testing import TOY, eagerly_and_in_map, random_panoptic
from deeplab2.structures import Targets

# Class and instance of blocks of 13 x 11 pixels: a person cut in two, a crowd
# of persons (1, 0), cars, cats that begin with instance 4, stuff, void.
BLOCKS = (
  ((0, 0), (119, 0), (1, 2), (1, 1), (1, 2), (119, 0)),
  ((90, 0), (90, 0), (1, 0), (3, 1), (0, 0), (119, 0)),
  ((17, 4), (17, 4), (17, 4), (90, 0), (3, 2), (3, 1)),
)


def recorded_panoptic() -> np.ndarray:
  """37 x 61, padded with void to 41 x 65."""
  blocks = np.array(BLOCKS) @ (256, 1)
  panoptic = blocks.repeat(13, axis=0).repeat(11, axis=1)[:37, :61]
  return np.pad(panoptic, ((0, 4), (0, 4))).astype(np.int32)


def test_targets_are_those_of_the_original():
  # Numbers from google-research/deeplab2 at 64bc1c1a.
  targets = max_deeplab_targets(
    tf.constant(recorded_panoptic()),
    load_dataset("coco_panoptic").layout,
    max_things=8,
    small=SmallInstances(300, 3.0),
  )
  np.testing.assert_array_equal(
    targets.thing_class, (1, 1, 3, 17, 3, -1, -1, -1)
  )
  assert counts(targets.thing_id) == {
    -1: 1543, 0: 286, 1: 143, 2: 209, 3: 363, 4: 121
  }  # fmt: skip
  assert counts(targets.semantic) == {
    0: 694, 1: 572, 3: 330, 17: 363, 90: 407, 119: 299
  }  # fmt: skip
  assert counts(targets.semantic_weight) == {1.0: 1906, 3.0: 759}
  assert counts(targets.crowd) == {False: 2522, True: 143}
  np.testing.assert_array_equal(
    targets.thing_id[30, ::8], (3, 3, 3, 3, 3, -1, 4, 2, -1)
  )
  np.testing.assert_array_equal(
    targets.semantic_weight[20, ::8], (1, 1, 1, 1, 1, 3, 1, 1, 1)
  )
  np.testing.assert_array_equal(
    targets.semantic[30, ::8], (17, 17, 17, 17, 17, 90, 3, 3, 0)
  )


def counts(values) -> dict:
  values, number = np.unique(values, return_counts=True)
  return dict(zip(values.tolist(), number.tolist(), strict=True))


def slow_targets(panoptic, max_things, small) -> Targets:
  """Pixel by pixel; for images of at most `max_things` things."""
  semantic, instance = TOY.codec.decode(panoptic)
  order = [id for id in dict.fromkeys(panoptic.ravel().tolist())]
  things = [
    id
    for id in order
    if id // TOY.divisor in TOY.thing_ids and id % TOY.divisor
  ]
  thing_id = np.full(panoptic.shape, -1)
  weight = np.ones(panoptic.shape)
  classes = np.full(max_things, -1)
  for row, id in enumerate(things):
    thing_id[panoptic == id] = row
    classes[row] = id // TOY.divisor
    if (panoptic == id).sum() < small.area:
      weight[panoptic == id] = small.weight
  crowd = np.isin(semantic, TOY.thing_ids) & (instance == 0)
  truth = np.where(crowd, TOY.ignore_label * TOY.divisor, panoptic)
  return Targets(semantic, weight, thing_id, classes, crowd, truth)


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("seed", range(3))
def test_targets_are_those_of_a_loop_over_ids(seed, stride):
  panoptic = random_panoptic(41, 53, seed)
  small = SmallInstances(100, 2.5)
  expected = slow_targets(panoptic, 13, small)
  for result in eagerly_and_in_map(
    lambda panoptic: max_deeplab_targets(
      panoptic, TOY.layout, 13, small, stride
    ),
    panoptic,
  ):
    for name, value in result._asdict().items():
      slow = getattr(expected, name)
      if name != "thing_class":
        slow = slow[::stride, ::stride]
      np.testing.assert_array_equal(value, slow, err_msg=name)


def test_types_are_those_of_the_contract():
  targets = max_deeplab_targets(
    tf.constant(random_panoptic(5, 7)), TOY.layout, 3, SmallInstances()
  )
  assert [value.dtype for value in targets] == [
    tf.int32, tf.float32, tf.int32, tf.int32, tf.bool, tf.int32
  ]  # fmt: skip


def test_things_beyond_the_table_keep_their_class_but_have_no_mask():
  panoptic = tf.constant(recorded_panoptic())
  layout = load_dataset("coco_panoptic").layout
  full = max_deeplab_targets(panoptic, layout, 8, SmallInstances())
  short = max_deeplab_targets(panoptic, layout, 2, SmallInstances())
  np.testing.assert_array_equal(short.semantic, full.semantic)
  np.testing.assert_array_equal(short.panoptic, full.panoptic)
  np.testing.assert_array_equal(short.crowd, full.crowd)
  assert counts(short.thing_id) == {-1: 2016, 0: 286, 1: 363}


def test_an_image_of_void_has_no_targets():
  targets = max_deeplab_targets(
    tf.zeros([5, 7], tf.int32), TOY.layout, 3, SmallInstances(9, 2.0)
  )
  assert np.max(targets.thing_id) == -1
  assert not np.any(targets.crowd)
  assert not np.any(targets.panoptic)
  assert np.all(targets.semantic_weight == 1.0)
