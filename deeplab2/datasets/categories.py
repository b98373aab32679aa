"""From the `categories` of a COCO-panoptic JSON to a dataset description."""

import colorsys

from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.datasets.description import VOID_NAME, DatasetDescription

_GOLDEN_RATIO = 0.6180339887498949


def describe_categories(
  categories: list[dict], name: str, divisor: int = COCO_PANOPTIC.divisor
) -> DatasetDescription:
  """Class ids 1, 2, ... in order of category id; 0 is void.

  Categories that are COCO's own, of whatever folder, give COCO's name.

  Args:
    categories: `id`, `name`, `isthing` each; `color` optional, `supercategory`
      not looked at.
    name: what to call the dataset.
    divisor: one more than the largest number of instances a class and image.

  Raises:
    ValueError: a field is missing or makes no sense; names the category.
  """
  _check_categories(categories)
  ordered = sorted(categories, key=lambda category: category["id"])
  things = [i for i, c in enumerate(ordered, start=1) if c["isthing"]]
  colors = [_color(c, i) for i, c in enumerate(ordered)]
  dataset = DatasetDescription(
    name=name,
    ignore_label=0,
    divisor=divisor,
    thing_ids=tuple(things),
    class_names=(VOID_NAME, *(c["name"] for c in ordered)),
    colors=((0, 0, 0), *colors),
    category_ids=(None, *(c["id"] for c in ordered)),
  )
  return _with_known_name(dataset)


def _with_known_name(dataset: DatasetDescription) -> DatasetDescription:
  """COCO's description, name included, where the classes are COCO's."""
  known = COCO_PANOPTIC.with_split_sizes({})
  same = _without_name(dataset) == _without_name(known)
  return known if same else dataset


def _without_name(dataset: DatasetDescription) -> dict:
  return {**vars(dataset), "name": None}


def _color(category: dict, number: int) -> tuple[int, int, int]:
  """The category's own colour, else one well apart from its neighbours'."""
  if category.get("color") is not None:
    return tuple(category["color"])
  hue = number * _GOLDEN_RATIO % 1.0
  value = (1.0, 0.8, 0.6)[number % 3]
  rgb = colorsys.hsv_to_rgb(hue, 0.75, value)
  return tuple(round(255 * channel) for channel in rgb)


def _check_categories(categories):
  if not isinstance(categories, list) or not categories:
    raise ValueError("categories: expected a list of classes; got none.")
  for place, category in enumerate(categories):
    _check_category(place, category)
  for field in ("id", "name"):
    values = [category[field] for category in categories]
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
      raise ValueError(
        f"categories: expected distinct {field}s; got {twice} more than once."
      )


def _check_category(place: int, category: dict):
  label = f"categories[{place}]"
  if not isinstance(category, dict):
    raise ValueError(f"{label}: expected an object; got {category!r}.")
  label = f"{label} (id {category.get('id')}, name {category.get('name')!r})"
  if not _is_count(category.get("id")):
    raise ValueError(f"{label}: id: expected an integer of 0 or more.")
  name = category.get("name")
  if not isinstance(name, str) or not name or name == VOID_NAME:
    raise ValueError(
      f"{label}: name: expected a text other than {VOID_NAME!r}."
    )
  if category.get("isthing") not in (0, 1):
    raise ValueError(
      f"{label}: isthing: expected 1 (countable, such as a car) or 0 (stuff, "
      f"such as sky); got {category.get('isthing')!r}."
    )
  color = category.get("color")
  if color is not None and not _is_color(color):
    raise ValueError(
      f"{label}: color: expected three integers of 0..255; got {color!r}."
    )


def _is_color(value) -> bool:
  of_three = isinstance(value, list) and len(value) == 3
  return of_three and all(_is_count(v) and v <= 255 for v in value)


def _is_count(value) -> bool:
  return isinstance(value, int) and not isinstance(value, bool) and value >= 0
