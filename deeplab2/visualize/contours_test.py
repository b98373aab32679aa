import numpy as np
import pytest

from deeplab2.visualize.contours import contours

H, W = 7, 11


def test_one_segment_has_no_contour():
  assert not contours(np.full((H, W), 5), width=3).any()


def test_a_line_lies_where_the_next_segment_begins():
  panoptic = np.zeros((H, W), int)
  panoptic[:, 4:] = 1
  np.testing.assert_array_equal(np.flatnonzero(contours(panoptic)[0]), [4])
  np.testing.assert_array_equal(contours(panoptic.T), contours(panoptic).T)


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_lines_have_their_width(width):
  panoptic = np.zeros((H, W), int)
  panoptic[:, 5:] = 1
  assert (contours(panoptic, width).sum(axis=1) == width).all()


def test_only_equality_of_ids_counts():
  panoptic = np.random.default_rng(0).integers(0, 3, (H, W))
  renamed = np.array([900, 20, 256])[panoptic]
  np.testing.assert_array_equal(contours(panoptic), contours(renamed))
