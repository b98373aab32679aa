"""Tests of panoptic copy-paste."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.input.testing import (
  DISC,
  SKY,
  STAR,
  TOY,
  VOID,
  eagerly_and_in_map,
  random_panoptic,
)
from deeplab2.input.transforms.copy_paste import (
  PADDING,
  PasteRule,
  choose_segments,
  copy_paste,
)
from deeplab2.structures import Sample

ALL = PasteRule("all", "all", "all")
NONE = PasteRule("none", "none", "none")
IDS = tf.constant([VOID, DISC * 32 + 1, STAR * 32, SKY * 32, PADDING], tf.int32)


def painted(panoptic, value: float) -> Sample:
  """A sample whose whole image is one grey."""
  panoptic = tf.constant(panoptic, tf.int32)
  return Sample(tf.fill((*panoptic.shape, 3), value), panoptic)


def paste(canvas, source, rule, seed=(3, 5)) -> Sample:
  return copy_paste(canvas, source, rule, TOY.layout, tf.constant(seed))


@pytest.mark.parametrize(
  ("rule", "expected"),
  [
    (ALL, (True, True, True, True, False)),
    (NONE, (False, False, False, False, False)),
    (PasteRule("all", "none", "none"), (False, True, True, False, False)),
    (PasteRule("none", "all", "none"), (False, False, False, True, False)),
    (PasteRule("none", "none", "all"), (True, False, False, False, False)),
  ],
)
def test_options_choose_kinds(rule, expected):
  for i in range(5):
    chosen = choose_segments(IDS, rule, TOY.layout, tf.constant([i, 1]))
    np.testing.assert_array_equal(chosen, expected)


def test_random_choice_is_of_any_size_and_never_of_the_padding():
  rule = PasteRule("random", "random", "random")
  chosen = np.array(
    [choose_segments(IDS, rule, TOY.layout, (1, i)) for i in range(120)]
  )
  assert not chosen[:, -1].any()
  assert set(chosen.sum(axis=1)) == {0, 1, 2, 3, 4}
  share = chosen[:, :-1].mean(axis=0)
  assert (share > 0.3).all()
  assert (share < 0.7).all()


def test_image_and_label_come_from_the_same_source():
  canvas = painted(random_panoptic(29, 43, seed=1), 10.0)
  source = painted(random_panoptic(29, 43, seed=2), 20.0)
  rule = PasteRule("random", "random", "random")
  for result in eagerly_and_in_map(
    lambda *samples: paste(*samples, rule), canvas, source
  ):
    mask = result.image.numpy()[..., 0] == 20
    assert 0 < mask.mean() < 1
    np.testing.assert_array_equal(
      result.panoptic.numpy()[~mask], canvas.panoptic.numpy()[~mask]
    )
    pasted, given = result.panoptic.numpy()[mask], source.panoptic.numpy()[mask]
    np.testing.assert_array_equal(pasted // 32, given // 32)
    np.testing.assert_array_equal(pasted % 32, -given % 32)


def test_pasted_instances_keep_apart_from_those_of_the_canvas():
  ids = np.array([[DISC * 32 + 1, DISC * 32 + 2, STAR * 32 + 1]])
  result = paste(painted(ids, 0.0), painted(ids[:, ::-1].copy(), 1.0), ALL)
  before = set(ids.ravel())
  assert not before & set(result.panoptic.numpy().ravel())


def test_an_id_that_is_taken_is_not_pasted():
  canvas = painted([[DISC * 32 + 30, SKY * 32]], 0.0)
  source = painted([[SKY * 32, DISC * 32 + 2]], 1.0)
  result = paste(canvas, source, ALL)
  np.testing.assert_array_equal(result.panoptic, [[SKY * 32, SKY * 32]])
  np.testing.assert_array_equal(result.image[..., 0], [[1.0, 0.0]])


def test_nothing_pasted_changes_nothing():
  canvas = painted(random_panoptic(11, 13, seed=1), 10.0)
  result = paste(canvas, painted(random_panoptic(11, 13, seed=2), 20.0), NONE)
  np.testing.assert_array_equal(result.image, canvas.image)
  np.testing.assert_array_equal(result.panoptic, canvas.panoptic)


def test_unknown_options_are_refused():
  with pytest.raises(ValueError) as error:
    PasteRule(stuff="some")
  assert str(error.value) == (
    "panoptic_copy_paste.stuff: expected one of ('all', 'none', 'random'); "
    "got 'some'."
  )
