"""What a panoptic dataset is, as data: its classes, ids, colours and sizes.

A description is a plain value. It is built in (`coco.py`), or derived from the
categories of a COCO-panoptic JSON by the converter, which writes it beside the
records as `dataset.json`. Nobody registers a dataset in code.
"""

import dataclasses
import json
from collections.abc import Mapping

from deeplab2.structures import ClassLayout, PanopticCodec

Color = tuple[int, int, int]
VOID_NAME = "void"

_INT32_END = 2**31


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetDescription:
  """The classes of a dataset and how its panoptic maps encode them.

  A class id is an index of `class_names`, `colors` and `category_ids`. The
  ignore label may be one of them (COCO: 0, "void") or lie outside
  (Cityscapes: 255); pixels that carry it count neither as thing nor as stuff.
  """

  name: str
  ignore_label: int
  divisor: int  # panoptic = semantic * divisor + instance
  thing_ids: tuple[int, ...]
  class_names: tuple[str, ...]
  colors: tuple[Color, ...]  # RGB, 0..255
  category_ids: tuple[int | None, ...]  # id in the source; None for void
  split_sizes: Mapping[str, int] = dataclasses.field(
    default_factory=dict, hash=False
  )

  def __post_init__(self):
    _check_class_tables(self)
    _check_thing_ids(self)
    _check_panoptic_ids(self)

  @property
  def num_classes(self) -> int:
    """Class ids in use, that of void included where it is one of them."""
    return len(self.class_names)

  @property
  def stuff_ids(self) -> tuple[int, ...]:
    """Ascending ids of the classes that are neither thing nor void."""
    other = {*self.thing_ids, self.ignore_label}
    return tuple(i for i in range(self.num_classes) if i not in other)

  @property
  def layout(self) -> ClassLayout:
    return ClassLayout(
      thing_ids=self.thing_ids,
      stuff_ids=self.stuff_ids,
      ignore_label=self.ignore_label,
      divisor=self.divisor,
    )

  @property
  def codec(self) -> PanopticCodec:
    return PanopticCodec(self.divisor)

  @property
  def class_of_category(self) -> dict[int, int]:
    """Class id of each id that the source's JSON uses."""
    pairs = enumerate(self.category_ids)
    return {category: i for i, category in pairs if category is not None}

  def with_split_sizes(self, sizes: Mapping[str, int]) -> "DatasetDescription":
    """The same dataset with these image counts."""
    return dataclasses.replace(self, split_sizes=dict(sizes))

  def to_json(self) -> str:
    """Text for `dataset.json`: one line a class, made to be read."""
    head = {
      "name": self.name,
      "ignore_label": self.ignore_label,
      "divisor": self.divisor,
      "split_sizes": dict(self.split_sizes),
    }
    classes = ",\n    ".join(json.dumps(row) for row in _class_rows(self))
    body = json.dumps(head, indent=2)[:-2]
    return f'{body},\n  "classes": [\n    {classes}\n  ]\n}}\n'

  @classmethod
  def from_json(cls, text: str) -> "DatasetDescription":
    """Reads what `to_json` wrote; unknown and missing fields are errors."""
    content = json.loads(text)
    _check_fields("dataset.json", content, _HEAD_FIELDS)
    rows = content.pop("classes")
    for i, row in enumerate(rows):
      _check_fields(f"classes[{i}]", row, _CLASS_FIELDS)
      if row["id"] != i:
        raise ValueError(f"classes[{i}].id: expected {i}; got {row['id']}.")
    return cls(
      **content,
      thing_ids=tuple(row["id"] for row in rows if row["thing"]),
      class_names=tuple(row["name"] for row in rows),
      colors=tuple(tuple(row["color"]) for row in rows),
      category_ids=tuple(row["category_id"] for row in rows),
    )


_HEAD_FIELDS = {"name", "ignore_label", "divisor", "split_sizes", "classes"}
_CLASS_FIELDS = {"id", "name", "thing", "color", "category_id"}


def _class_rows(dataset: DatasetDescription) -> list[dict]:
  columns = zip(
    dataset.class_names, dataset.colors, dataset.category_ids, strict=True
  )
  things = set(dataset.thing_ids)
  return [
    {
      "id": i,
      "name": name,
      "thing": i in things,
      "color": list(color),
      "category_id": category,
    }
    for i, (name, color, category) in enumerate(columns)
  ]


def _check_fields(where: str, content, expected: set[str]):
  if not isinstance(content, dict):
    kind = type(content).__name__
    raise ValueError(f"{where}: expected a JSON object; got {kind}.")
  if set(content) != expected:
    raise ValueError(
      f"{where}: expected the fields {sorted(expected)}; got {sorted(content)}."
    )


def _check_class_tables(dataset: DatasetDescription):
  num_classes = dataset.num_classes
  if not num_classes:
    raise ValueError("class_names: expected at least one class; got none.")
  for field in ("colors", "category_ids"):
    length = len(getattr(dataset, field))
    if length != num_classes:
      raise ValueError(
        f"{field}: expected one entry a class name ({num_classes}); "
        f"got {length}."
      )
  if len(set(dataset.class_names)) != num_classes:
    twice = _first_repeated(dataset.class_names)
    raise ValueError(
      f"class_names: expected distinct names; got {twice!r} twice."
    )
  for color in dataset.colors:
    if len(color) != 3 or not all(0 <= value <= 255 for value in color):
      raise ValueError(
        f"colors: expected three values of 0..255, such as (220, 20, 60); "
        f"got {color}."
      )


def _check_thing_ids(dataset: DatasetDescription):
  things = dataset.thing_ids
  if len(set(things)) != len(things):
    raise ValueError(f"thing_ids: expected distinct ids; got {things}.")
  outside = [i for i in things if not 0 <= i < dataset.num_classes]
  if outside:
    raise ValueError(
      f"thing_ids: expected ids below {dataset.num_classes}; got {outside}."
    )
  if dataset.ignore_label in things:
    raise ValueError(
      f"thing_ids: the ignore label cannot be a thing; got {things} with "
      f"ignore_label {dataset.ignore_label}."
    )


def _check_panoptic_ids(dataset: DatasetDescription):
  if dataset.divisor < 2:
    raise ValueError(
      f"divisor: expected at least 2, such as 256; got {dataset.divisor}."
    )
  if dataset.ignore_label < 0:
    raise ValueError(
      f"ignore_label: expected 0 or more; got {dataset.ignore_label}."
    )
  largest = max(dataset.num_classes - 1, dataset.ignore_label)
  if (largest + 1) * dataset.divisor > _INT32_END:
    raise ValueError(
      f"divisor: expected (largest class id + 1) * divisor to fit int32; got "
      f"({largest} + 1) * {dataset.divisor}."
    )


def _first_repeated(names):
  seen = set()
  return next(name for name in names if name in seen or seen.add(name))
