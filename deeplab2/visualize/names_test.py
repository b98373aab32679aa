import numpy as np
import pytest

from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.visualize.names import Label, label_segments, write_labels

DIVISOR = COCO_PANOPTIC.divisor
CAT = COCO_PANOPTIC.class_names.index("cat")
SKY = COCO_PANOPTIC.class_names.index("sky-other-merged")
H, W, SIZE = 97, 131, 11


def ring():
  """A cat around a hole of void, on nothing."""
  y, x = np.mgrid[:H, :W]
  radius = np.hypot(y - 48, x - 65)
  return np.where((radius > 20) & (radius < 45), CAT * DIVISOR + 1, 0)


def test_a_name_lies_inside_of_its_segment_even_of_a_ring():
  (label,) = label_segments(ring(), COCO_PANOPTIC, SIZE)
  assert label.text == "cat"
  assert ring()[label.y, label.x] == CAT * DIVISOR + 1


def test_a_large_picture_has_the_same_names_at_the_same_places():
  (small,) = label_segments(ring(), COCO_PANOPTIC, SIZE)
  large = np.repeat(np.repeat(ring(), 11, axis=0), 11, axis=1)
  (label,) = label_segments(large, COCO_PANOPTIC, 11 * SIZE)
  assert large[label.y, label.x] == CAT * DIVISOR + 1
  assert np.hypot(label.y - 48 * 11, label.x - 65 * 11) == pytest.approx(
    11 * np.hypot(small.y - 48, small.x - 65), abs=33
  )


def test_void_and_narrow_segments_have_no_name():
  panoptic = np.zeros((H, W), int)
  panoptic[:, 60:66] = CAT * DIVISOR + 1
  assert label_segments(panoptic, COCO_PANOPTIC, SIZE) == []
  assert label_segments(panoptic * 0, COCO_PANOPTIC, SIZE) == []


def test_the_largest_segment_comes_first():
  panoptic = np.full((H, W), SKY * DIVISOR)
  panoptic[:, :40] = CAT * DIVISOR + 1
  labels = label_segments(panoptic, COCO_PANOPTIC, SIZE)
  assert [label.text for label in labels] == ["sky-other-merged", "cat"]


def changed_box(labels, size=SIZE):
  """Rows and columns that writing touches, on grey."""
  grey = np.full((H, W, 3), 128, np.uint8)
  rows, columns = np.nonzero((write_labels(grey, labels, size) != grey).any(-1))
  return rows.min(), rows.max(), columns.min(), columns.max()


def test_text_is_centred_and_has_a_dark_outline():
  top, bottom, left, right = changed_box([Label("cat", 65, 48)])
  assert abs((left + right) / 2 - 65) <= 2
  assert abs((top + bottom) / 2 - 48) <= 4
  picture = write_labels(
    np.full((H, W, 3), 128, np.uint8), [Label("cat", 65, 48)], SIZE
  )
  assert picture.max() > 230
  assert picture.min() < 60


@pytest.mark.parametrize("x, y", [(0, 0), (W - 1, H - 1), (0, H - 1)])
def test_text_at_a_border_moves_inside(x, y):
  whole = changed_box([Label("cat", 65, 48)])
  moved = changed_box([Label("cat", x, y)])
  assert abs((moved[3] - moved[2]) - (whole[3] - whole[2])) <= 2


def test_a_name_that_would_cover_another_is_left_out():
  first = [Label("cat", 65, 48)]
  assert changed_box(first) == changed_box([*first, Label("dog", 70, 50)])


def test_a_name_wider_than_the_picture_is_left_out():
  grey = np.full((9, 30, 3), 128, np.uint8)
  label = Label("sky-other-merged", 15, 4)
  np.testing.assert_array_equal(write_labels(grey, [label], SIZE), grey)
