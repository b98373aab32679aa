import numpy as np
import pytest

from deeplab2.datasets.shapes import SHAPES_PANOPTIC
from deeplab2.visualize.sample_sheet import Picture, sample_sheet

DISC, SKY = 256, 7 * 256


def _picture(height, width, panoptic=SKY):
  image = np.full((height, width, 3), 90, np.uint8)
  return Picture(image, np.full((height, width), panoptic))


def test_columns_line_up_and_a_legend_follows():
  rows = [
    [_picture(31, 17), _picture(29, 29)],
    [_picture(17, 31, DISC), _picture(29, 29)],
  ]
  sheet = sample_sheet(rows, SHAPES_PANOPTIC, panel_height=62)
  widths = [round(62 * 31 / 17)] * 2 + [62] * 2
  assert sheet.shape[1] == sum(w + 6 for w in widths)
  assert sheet.shape[0] > 2 * (62 + 6)
  assert sheet.dtype == np.uint8


def test_a_row_shows_the_image_and_then_its_label():
  sheet = sample_sheet([[_picture(31, 31)]], SHAPES_PANOPTIC, panel_height=31)
  assert (sheet[3, 3] == 90).all()
  assert not (sheet[3, 31 + 6 + 3] == 90).all()


@pytest.mark.parametrize(
  ("rows", "lengths"),
  [([], []), ([[]], [0]), ([[_picture(3, 3)], [_picture(3, 3)] * 2], [1, 2])],
)
def test_rows_must_be_alike(rows, lengths):
  with pytest.raises(ValueError) as caught:
    sample_sheet(rows, SHAPES_PANOPTIC)
  assert str(caught.value) == (
    f"rows: expected at least one, all equally long; got lengths {lengths}."
  )
