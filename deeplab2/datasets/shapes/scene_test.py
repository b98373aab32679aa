import colorsys

import numpy as np
import pytest

from deeplab2.datasets.shapes.classes import STUFF, THINGS
from deeplab2.datasets.shapes.scene import draw_scene

SIZE = (101, 127)
SCENES = [draw_scene(np.random.default_rng([1, i]), SIZE) for i in range(48)]


def _things(scene):
  return [s for s in scene.segments if s.category_id in THINGS.values()]


@pytest.mark.parametrize("scene", SCENES[:8])
def test_segments_are_those_of_the_map(scene):
  assert scene.image.shape == (*SIZE, 3)
  assert scene.image.dtype == np.uint8
  ids = [segment.id for segment in scene.segments]
  assert len(set(ids)) == len(ids)
  assert set(np.unique(scene.ids)) - {0} == set(ids)


def test_a_scene_is_a_function_of_its_generator():
  again = draw_scene(np.random.default_rng([1, 5]), SIZE)
  np.testing.assert_array_equal(again.image, SCENES[5].image)
  np.testing.assert_array_equal(again.ids, SCENES[5].ids)
  assert again.segments == SCENES[5].segments
  assert not np.array_equal(SCENES[5].image, SCENES[6].image)


def test_all_classes_appear_and_no_image_lacks_things():
  found = {s.category_id for scene in SCENES for s in scene.segments}
  assert found == {*THINGS.values(), *STUFF.values()}
  counts = [len(_things(scene)) for scene in SCENES]
  assert min(counts) >= 1
  assert 2.5 < np.mean(counts) < 4.5


def test_crowds_and_unlabelled_pixels_appear_but_rarely():
  crowds = sum(s.iscrowd for scene in SCENES for s in scene.segments)
  assert 2 <= crowds <= 14
  void = [np.mean(scene.ids == 0) for scene in SCENES]
  assert 4 <= sum(v > 0.01 for v in void) <= 20
  assert np.mean(void) < 0.03


def test_only_things_are_crowds_and_stuff_is_one_segment_a_class():
  for scene in SCENES:
    stuff = [s for s in scene.segments if s.category_id in STUFF.values()]
    assert len({s.category_id for s in stuff}) == len(stuff)
    assert not any(s.iscrowd for s in stuff)


def test_things_are_seen_well_enough_to_be_known():
  areas = [
    np.sum(scene.ids == thing.id)
    for scene in SCENES
    for thing in _things(scene)
  ]
  assert min(areas) >= 16
  assert np.mean(np.array(areas) < 150) > 0.1  # small ones are common


def hue_distance(scene, thing):
  """How far the hue of a thing is from that of its class, 0..0.5."""
  color = np.median(scene.image[scene.ids == thing.id], axis=0) / 255
  hue = colorsys.rgb_to_hsv(*color)[0]
  typical = list(THINGS.values()).index(thing.category_id) / len(THINGS)
  return abs((hue - typical + 0.5) % 1.0 - 0.5)


def test_color_suggests_the_class_and_does_not_settle_it():
  near = [
    hue_distance(scene, thing) < 1 / 12
    for scene in SCENES
    for thing in _things(scene)
    if not thing.iscrowd
  ]
  assert 0.6 < np.mean(near) < 0.95
