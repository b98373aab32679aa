import numpy as np

from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.visualize.legend import classes_by_area, draw_legend

DIVISOR = COCO_PANOPTIC.divisor


def test_classes_come_by_their_area_in_all_maps():
  one = np.array([[5 * DIVISOR + 1, 5 * DIVISOR + 2, 0, 0, 0, 90 * DIVISOR]])
  other = np.array([[7 * DIVISOR] * 4])
  assert classes_by_area([one, other], COCO_PANOPTIC) == [7, 5, 90]
  assert classes_by_area([one * 0], COCO_PANOPTIC) == []


def test_every_class_has_a_swatch_of_its_colour():
  classes = [1, 2, 100, 133]
  legend = draw_legend(classes, COCO_PANOPTIC, width=700)
  assert legend.shape[1:] == (700, 3)
  for class_id in classes:
    color = COCO_PANOPTIC.colors[class_id]
    assert (legend == color).all(-1).sum() > 80


def test_a_narrow_legend_has_more_rows():
  classes = list(range(1, 20))
  wide = draw_legend(classes, COCO_PANOPTIC, width=2000)
  narrow = draw_legend(classes, COCO_PANOPTIC, width=300)
  assert narrow.shape[0] > 3 * wide.shape[0]
  assert (narrow != 255).any(-1).any(1)[-28:].any()


def test_no_class_has_no_legend():
  assert draw_legend([], COCO_PANOPTIC, width=300).shape == (0, 300, 3)
