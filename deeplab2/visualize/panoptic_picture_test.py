import numpy as np
import pytest

from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.visualize.contours import contours
from deeplab2.visualize.panoptic_picture import (
  font_size,
  line_width,
  paint_panoptic,
)

DIVISOR = COCO_PANOPTIC.divisor
H, W = 61, 89


def scene():
  """An image of noise; grass below, two cats, void above."""
  image = np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8)
  panoptic = np.zeros((H, W), np.int32)
  panoptic[30:] = COCO_PANOPTIC.class_names.index("grass-merged") * DIVISOR
  cat = COCO_PANOPTIC.class_names.index("cat") * DIVISOR
  panoptic[20:50, 10:40], panoptic[20:50, 40:80] = cat + 1, cat + 2
  return image, panoptic


def test_void_keeps_its_image_and_segments_do_not():
  image, panoptic = scene()
  picture = paint_panoptic(image, panoptic, COCO_PANOPTIC, names=False)
  assert picture.dtype == np.uint8
  inner = ~contours(panoptic, 1)
  same = (picture == image).all(-1)
  assert same[inner & (panoptic == 0)].all()
  assert same[inner & (panoptic != 0)].mean() < 0.01


def test_without_opacity_only_the_lines_remain():
  image, panoptic = scene()
  picture = paint_panoptic(image, panoptic, COCO_PANOPTIC, 0.0, names=False)
  lines = contours(panoptic, 1)
  np.testing.assert_array_equal(picture[~lines], image[~lines])
  assert (picture[lines] >= 0.85 * 255 - 1).all()


def test_full_opacity_hides_the_image():
  image, panoptic = scene()
  one = paint_panoptic(image, panoptic, COCO_PANOPTIC, 1.0)
  other = paint_panoptic(255 - image, panoptic, COCO_PANOPTIC, 1.0)
  shown = (panoptic != 0) & ~contours(panoptic, 1)
  np.testing.assert_array_equal(one[shown], other[shown])


def test_instances_of_a_class_look_different():
  image, panoptic = scene()
  picture = paint_panoptic(image, panoptic, COCO_PANOPTIC, 1.0, names=False)
  assert np.abs(picture[35, 25].astype(int) - picture[35, 60]).max() > 15


def test_names_change_the_picture_where_there_is_room():
  image, panoptic = scene()
  with_names = paint_panoptic(image, panoptic, COCO_PANOPTIC)
  without = paint_panoptic(image, panoptic, COCO_PANOPTIC, names=False)
  assert (with_names[20:50, 10:80] != without[20:50, 10:80]).any()


def test_the_image_is_not_written_to():
  image, panoptic = scene()
  before = image.copy()
  paint_panoptic(image, panoptic, COCO_PANOPTIC)
  np.testing.assert_array_equal(image, before)


def test_lines_and_letters_grow_with_the_picture():
  assert line_width((129, 129)) == 1
  assert line_width((1000, 2000)) == 2
  assert font_size((129, 129)) == 10
  assert 15 < font_size((480, 640)) < 24


@pytest.mark.parametrize(
  "image, opacity, message",
  [
    (
      np.zeros((H, W, 3)),
      0.5,
      "image: expected uint8 of shape (61, 89, 3), as the map has it; got "
      "float64 of (61, 89, 3).",
    ),
    (
      np.zeros((W, H, 3), np.uint8),
      0.5,
      "image: expected uint8 of shape (61, 89, 3), as the map has it; got "
      "uint8 of (89, 61, 3).",
    ),
    (
      np.zeros((H, W, 3), np.uint8),
      60,
      "opacity: expected a value of 0..1, such as 0.6; got 60.",
    ),
  ],
)
def test_misuse_is_named(image, opacity, message):
  _, panoptic = scene()
  with pytest.raises(ValueError) as error:
    paint_panoptic(image, panoptic, COCO_PANOPTIC, opacity)
  assert str(error.value) == message
