import numpy as np
import pytest

from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.visualize.colors import (
  VOID_COLOR,
  color_panoptic,
  segment_colors,
)

DIVISOR = COCO_PANOPTIC.divisor
PERSON, GRASS = 1, COCO_PANOPTIC.class_names.index("grass-merged")


def test_stuff_and_instance_zero_have_the_colour_of_their_class():
  ids = [GRASS * DIVISOR, PERSON * DIVISOR]
  expected = [COCO_PANOPTIC.colors[GRASS], COCO_PANOPTIC.colors[PERSON]]
  np.testing.assert_array_equal(segment_colors(ids, COCO_PANOPTIC), expected)


def test_void_has_its_own_colour_whatever_its_instance_id():
  colors = segment_colors([0, 17], COCO_PANOPTIC)
  np.testing.assert_array_equal(colors, [VOID_COLOR] * 2)


@pytest.mark.parametrize("class_id", [PERSON, 3, 8, 80])
def test_instances_of_a_class_differ(class_id):
  ids = class_id * DIVISOR + np.arange(1, 41)
  colors = segment_colors(ids, COCO_PANOPTIC).astype(int)
  assert len(np.unique(colors, axis=0)) == 40
  neighbours = np.abs(np.diff(colors, axis=0)).max(axis=1)
  assert neighbours.min() >= 15


def test_instances_stay_near_their_class():
  ids = PERSON * DIVISOR + np.arange(1, DIVISOR)
  colors = segment_colors(ids, COCO_PANOPTIC).astype(int)
  red, green, blue = colors.T
  assert (red > np.maximum(green, blue)).mean() > 0.95


def test_a_segment_keeps_its_colour_in_any_company():
  ids = PERSON * DIVISOR + np.array([5, 9, 2])
  together = segment_colors(ids, COCO_PANOPTIC)
  alone = [segment_colors([i], COCO_PANOPTIC)[0] for i in ids]
  np.testing.assert_array_equal(together, alone)


def test_a_map_is_coloured_pixel_by_pixel():
  panoptic = np.array([[0, GRASS * DIVISOR], [PERSON * DIVISOR + 3, 0]])
  picture = color_panoptic(panoptic, COCO_PANOPTIC)
  assert picture.dtype == np.uint8
  np.testing.assert_array_equal(
    picture.reshape(4, 3), segment_colors(panoptic.ravel(), COCO_PANOPTIC)
  )
