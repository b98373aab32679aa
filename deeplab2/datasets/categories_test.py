import copy

import pytest

from deeplab2.datasets.categories import describe_categories
from deeplab2.datasets.coco import COCO_PANOPTIC

PETS = [
  {"id": 9, "name": "lawn", "isthing": 0, "color": [1, 200, 3]},
  {"id": 2, "name": "cat", "isthing": 1},
  {"id": 5, "name": "dog", "isthing": 1, "supercategory": "animal"},
]


def _coco_categories():
  things = set(COCO_PANOPTIC.thing_ids)
  return [
    {
      "id": COCO_PANOPTIC.category_ids[i],
      "name": COCO_PANOPTIC.class_names[i],
      "isthing": int(i in things),
      "color": list(COCO_PANOPTIC.colors[i]),
    }
    for i in range(1, COCO_PANOPTIC.num_classes)
  ]


def test_class_ids_follow_category_ids():
  dataset = describe_categories(PETS, "pets")
  assert dataset.class_names == ("void", "cat", "dog", "lawn")
  assert dataset.category_ids == (None, 2, 5, 9)
  assert dataset.thing_ids == (1, 2)
  assert dataset.stuff_ids == (3,)
  assert (dataset.ignore_label, dataset.divisor) == (0, 256)


def test_given_colors_are_kept_and_others_made_distinct():
  dataset = describe_categories(PETS, "pets")
  assert dataset.colors[3] == (1, 200, 3)
  plain = [{"id": i, "name": str(i), "isthing": i % 2} for i in range(60)]
  assert len(set(describe_categories(plain, "plain").colors)) == 61


def test_order_of_the_json_does_not_matter():
  assert describe_categories(PETS[::-1], "pets") == describe_categories(
    PETS, "pets"
  )


def test_cocos_categories_give_coco_whatever_the_folder_is_called():
  dataset = describe_categories(_coco_categories(), "some_folder")
  assert dataset == COCO_PANOPTIC.with_split_sizes({})


def test_nearly_coco_is_not_coco():
  categories = _coco_categories()
  categories[3]["name"] = "motorbike"
  assert describe_categories(categories, "some_folder").name == "some_folder"
  other_divisor = describe_categories(_coco_categories(), "wide", 1000)
  assert other_divisor.name == "wide"


@pytest.mark.parametrize(
  ("field", "value", "message"),
  [
    (
      "isthing",
      None,
      "categories[1] (id 2, name 'cat'): isthing: expected 1 (countable, such "
      "as a car) or 0 (stuff, such as sky); got None.",
    ),
    (
      "id",
      "2",
      "categories[1] (id 2, name 'cat'): id: expected an integer of 0 or more.",
    ),
    (
      "name",
      "void",
      "categories[1] (id 2, name 'void'): name: expected a text other than "
      "'void'.",
    ),
    (
      "color",
      [1, 2],
      "categories[1] (id 2, name 'cat'): color: expected three integers of "
      "0..255; got [1, 2].",
    ),
    ("id", 5, "categories: expected distinct ids; got [5] more than once."),
    (
      "name",
      "dog",
      "categories: expected distinct names; got ['dog'] more than once.",
    ),
  ],
)
def test_wrong_categories_are_named(field, value, message):
  categories = copy.deepcopy(PETS)
  categories[1][field] = value
  with pytest.raises(ValueError) as caught:
    describe_categories(categories, "pets")
  assert str(caught.value) == message


@pytest.mark.parametrize("categories", [[], None, {}])
def test_no_categories(categories):
  with pytest.raises(ValueError) as caught:
    describe_categories(categories, "pets")
  assert (
    str(caught.value) == "categories: expected a list of classes; got none."
  )
