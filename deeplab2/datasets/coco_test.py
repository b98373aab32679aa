"""Facts of COCO panoptic that anyone can look up, against the table."""

from deeplab2.datasets.coco import COCO_PANOPTIC


def test_eighty_things_and_fifty_three_stuff_classes():
  assert COCO_PANOPTIC.num_classes == 134
  assert COCO_PANOPTIC.thing_ids == tuple(range(1, 81))
  assert COCO_PANOPTIC.stuff_ids == tuple(range(81, 134))
  assert COCO_PANOPTIC.layout.num_channels == 134


def test_category_ids_are_those_of_the_json():
  categories = COCO_PANOPTIC.category_ids[1:]
  assert list(categories) == sorted(set(categories))
  assert categories[0] == 1
  assert categories[79] == 90
  assert categories[80] == 92
  assert categories[-1] == 200
  missing = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
  assert set(categories[:80]) == set(range(1, 91)) - missing


def test_names_and_colors_of_some_classes():
  rows = {
    name: (class_id, COCO_PANOPTIC.colors[class_id])
    for class_id, name in enumerate(COCO_PANOPTIC.class_names)
  }
  assert rows["void"] == (0, (0, 0, 0))
  assert rows["person"] == (1, (220, 20, 60))
  assert rows["toothbrush"] == (80, (191, 162, 208))
  assert rows["banner"] == (81, (255, 255, 128))
  assert rows["sky-other-merged"] == (120, (70, 130, 180))
  assert rows["rug-merged"] == (133, (250, 141, 255))


def test_colors_differ():
  assert len(set(COCO_PANOPTIC.colors)) == 134
