from deeplab2.datasets.categories import describe_categories
from deeplab2.datasets.shapes import CATEGORIES, SHAPES_PANOPTIC
from deeplab2.datasets.shapes.classes import STUFF, THINGS
from deeplab2.datasets.shapes.outlines import OUTLINES
from deeplab2.datasets.shapes.textures import TEXTURES


def test_every_class_can_be_drawn():
  assert set(THINGS) == set(OUTLINES)
  assert set(STUFF) == set(TEXTURES)


def test_description_is_what_the_converter_derives():
  assert describe_categories(CATEGORIES, "shapes_panoptic") == SHAPES_PANOPTIC
  assert SHAPES_PANOPTIC.num_classes == 12
  assert SHAPES_PANOPTIC.thing_ids == (1, 2, 3, 4, 5, 6)


def test_category_ids_are_not_class_ids():
  assert SHAPES_PANOPTIC.category_ids[1:] != tuple(range(1, 12))
