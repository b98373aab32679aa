import dataclasses
import json

import pytest

from deeplab2.datasets.description import DatasetDescription

PETS = DatasetDescription(
  name="pets",
  ignore_label=0,
  divisor=100,
  thing_ids=(1, 3),
  class_names=("void", "cat", "lawn", "dog"),
  colors=((0, 0, 0), (1, 2, 3), (4, 5, 6), (7, 8, 9)),
  category_ids=(None, 2, 9, 5),
  split_sizes={"train": 7},
)


def _error_of(**changes) -> str:
  with pytest.raises(ValueError) as caught:
    dataclasses.replace(PETS, **changes)
  return str(caught.value)


def test_ids_split_into_things_stuff_and_void():
  assert PETS.num_classes == 4
  assert PETS.stuff_ids == (2,)
  assert PETS.layout.class_ids == (1, 3, 2)
  assert PETS.layout.num_channels == 4
  assert PETS.class_of_category == {2: 1, 9: 2, 5: 3}
  assert PETS.codec.decode(PETS.codec.encode(3, 99)) == (3, 99)


def test_a_void_outside_of_the_classes_leaves_all_others_stuff():
  outside = dataclasses.replace(PETS, ignore_label=255)
  assert outside.stuff_ids == (0, 2)
  assert outside.layout.num_channels == 5


def test_json_round_trip():
  assert DatasetDescription.from_json(PETS.to_json()) == PETS
  assert json.loads(PETS.to_json())["classes"][3] == {
    "id": 3,
    "name": "dog",
    "thing": True,
    "color": [7, 8, 9],
    "category_id": 5,
  }


def test_description_is_hashable_and_sizes_can_be_set():
  assert hash(PETS) == hash(PETS.with_split_sizes({}))
  assert PETS.with_split_sizes({"val": 2}).split_sizes == {"val": 2}


def test_contradictory_tables_are_refused():
  assert _error_of(colors=((0, 0, 0),)) == (
    "colors: expected one entry a class name (4); got 1."
  )
  assert _error_of(class_names=("void", "cat", "cat", "dog")) == (
    "class_names: expected distinct names; got 'cat' twice."
  )
  assert _error_of(colors=((0, 0, 0), (1, 2, 3), (4, 5, 6), (7, 8, 256))) == (
    "colors: expected three values of 0..255, such as (220, 20, 60); "
    "got (7, 8, 256)."
  )
  assert _error_of(class_names=(), colors=(), category_ids=()) == (
    "class_names: expected at least one class; got none."
  )


def test_impossible_ids_are_refused():
  assert _error_of(thing_ids=(1, 1)) == (
    "thing_ids: expected distinct ids; got (1, 1)."
  )
  assert _error_of(thing_ids=(1, 4)) == (
    "thing_ids: expected ids below 4; got [4]."
  )
  assert _error_of(thing_ids=(0, 1)) == (
    "thing_ids: the ignore label cannot be a thing; got (0, 1) with "
    "ignore_label 0."
  )
  assert _error_of(divisor=1) == (
    "divisor: expected at least 2, such as 256; got 1."
  )
  assert _error_of(ignore_label=-1) == (
    "ignore_label: expected 0 or more; got -1."
  )
  assert _error_of(divisor=2**30) == (
    "divisor: expected (largest class id + 1) * divisor to fit int32; got "
    "(3 + 1) * 1073741824."
  )


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (
      lambda content: content.pop("divisor"),
      "dataset.json: expected the fields ['classes', 'divisor', "
      "'ignore_label', 'name', 'split_sizes']; got ['classes', "
      "'ignore_label', 'name', 'split_sizes'].",
    ),
    (
      lambda content: content["classes"][2].pop("thing"),
      "classes[2]: expected the fields ['category_id', 'color', 'id', "
      "'name', 'thing']; got ['category_id', 'color', 'id', 'name'].",
    ),
    (
      lambda content: content["classes"].reverse(),
      "classes[0].id: expected 0; got 3.",
    ),
  ],
)
def test_damaged_json_is_refused(change, message):
  content = json.loads(PETS.to_json())
  change(content)
  with pytest.raises(ValueError) as caught:
    DatasetDescription.from_json(json.dumps(content))
  assert str(caught.value) == message
