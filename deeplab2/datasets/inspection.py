"""Looks at every record: is it right, and what is in it."""

import dataclasses
import functools
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from deeplab2.datasets import records
from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.example_wire import read_example
from deeplab2.datasets.image_header import image_size
from deeplab2.datasets.label_formats import decode_label
from deeplab2.datasets.label_runs import LabelRuns, find_runs
from deeplab2.datasets.parallel import map_in_processes
from deeplab2.datasets.pictures import decode_coarsely, opened_picture
from deeplab2.datasets.record_index import RecordIndex

_REQUIRED = {
  records.IMAGE: bytes,
  records.NAME: bytes,
  records.HEIGHT: int,
  records.WIDTH: int,
}
_MANY = 8  # ids listed in a message
_PART = 64  # records that a process takes at once


class BadRecord(NamedTuple):
  """A record that training would stumble over, or worse, would not."""

  file: str
  record: int  # its number in the file, from 0
  name: str  # of the image, "" if unknown
  problems: tuple[str, ...]


class PlainRecord(NamedTuple):
  """A record in numpy."""

  image: np.ndarray  # h w 3  uint8
  panoptic: np.ndarray | None  # h w  int32
  name: str


class _Part(NamedTuple):
  """Some records of a file, `start` up to `stop`."""

  file: str
  start: int
  stop: int


@dataclasses.dataclass
class Inspection:
  """What is in records; `bad` ones count in `num_records` alone."""

  num_classes: int
  num_records: int = 0
  num_labelled: int = 0
  num_bytes: int = 0
  sizes: Counter = dataclasses.field(default_factory=Counter)  # (h, w)
  names: list[str] = dataclasses.field(default_factory=list)
  places: list[tuple[str, int]] = dataclasses.field(default_factory=list)
  bad: list[BadRecord] = dataclasses.field(default_factory=list)
  images: np.ndarray = None  # c  images that have the class
  segments: np.ndarray = None  # c  instances, or regions of stuff
  crowds: np.ndarray = None  # c  images with a crowd of the class
  pixels: np.ndarray = None  # c
  void_pixels: int = 0
  # Images that have so many things, and segments, stuff included, void not.
  things_an_image: Counter = dataclasses.field(default_factory=Counter)
  segments_an_image: Counter = dataclasses.field(default_factory=Counter)

  def __post_init__(self):
    for field in ("images", "segments", "crowds", "pixels"):
      if getattr(self, field) is None:
        setattr(self, field, np.zeros(self.num_classes, np.int64))

  def merge(self, other: "Inspection"):
    """Takes in what was found in other records."""
    for field in dataclasses.fields(self):
      name = field.name
      ours, theirs = getattr(self, name), getattr(other, name)
      if isinstance(ours, list):
        ours.extend(theirs)
      elif name != "num_classes":
        setattr(self, name, ours + theirs)


def inspect_files(
  files: Iterable[str],
  dataset: DatasetDescription,
  num_processes: int = 1,
  progress: Callable[[int, int], None] = lambda done, total: None,
) -> Inspection:
  """Reads all records of TFRecord files, with their checksums.

  Args:
    files: paths.
    dataset: the classes.
    num_processes: 1 stays in this process.
    progress: told the number of records looked at, and of all, now and then.
  """
  _index_of.cache_clear()
  parts = [part for path in files for part in _parts(path)]
  total = sum(part.stop - part.start for part in parts)
  found = Inspection(dataset.num_classes)
  progress(0, total)
  work = functools.partial(_inspect_part, dataset)
  workers = max(1, min(num_processes, len(parts)))
  for part in map_in_processes(work, parts, workers):
    found.merge(part)
    progress(found.num_records, total)
  found.bad = sorted([*found.bad, *_repeated_names(found)])
  return found


def read_plain(data: bytes) -> PlainRecord:
  """Decodes a serialized example without TensorFlow.

  Raises:
    ValueError: it cannot be decoded, or its sizes disagree.
  """
  features = read_example(data)
  _require(features)
  size = (features[records.HEIGHT], features[records.WIDTH])
  image = _decode_image(features[records.IMAGE], size)
  name = features[records.NAME].decode()
  return PlainRecord(image, _decode_label(features, size), name)


def label_problems(ids: np.ndarray, dataset: DatasetDescription) -> list[str]:
  """What is wrong with the panoptic ids of a map.

  Args:
    ids: k, distinct and ascending.
    dataset: the classes that there are.
  """
  semantic, instance = dataset.codec.decode(ids)
  known = (semantic >= 0) & (semantic < dataset.num_classes)
  known |= semantic == dataset.ignore_label
  numbered = known & (instance > 0) & ~np.isin(semantic, dataset.thing_ids)
  problems = []
  if not known.all():
    problems.append(
      f"label: expected classes 0..{dataset.num_classes - 1} or the ignore "
      f"label {dataset.ignore_label}; got {_some(np.unique(semantic[~known]))}."
    )
  if numbered.any():
    problems.append(
      f"label: stuff and void have no instances; got the panoptic ids "
      f"{_some(ids[numbered])}."
    )
  return problems


def _parts(path: str) -> Iterator[_Part]:
  count = len(_index_of(path))
  for start in range(0, count, _PART):
    yield _Part(path, start, min(start + _PART, count))


@functools.lru_cache(maxsize=1)
def _index_of(path: str) -> RecordIndex:
  """The records of one file; parts of a large one come one after the other."""
  return RecordIndex.from_files([path])


def _inspect_part(dataset: DatasetDescription, part: _Part) -> Inspection:
  found = Inspection(dataset.num_classes)
  index = _index_of(part.file)
  for number in range(part.start, part.stop):
    found.num_records += 1
    found.num_bytes += int(index.lengths[number])
    name, problems = _inspect_record(index, number, dataset, found)
    if problems:
      found.bad.append(BadRecord(part.file, number, name, tuple(problems)))
    else:
      found.names.append(name)
      found.places.append((part.file, number))
  return found


def _inspect_record(
  index: RecordIndex, number: int, dataset, found: Inspection
) -> tuple[str, list[str]]:
  """Counts a record unless it is bad; its name, and what is wrong with it."""
  name = ""
  try:
    features = read_example(index.read(number))
    name = _name_in(features)
    _require(features)
    size = (features[records.HEIGHT], features[records.WIDTH])
    _check_image(features[records.IMAGE], size)
    panoptic = _decode_label(features, size)
  except ValueError as error:
    return name, [str(error).removeprefix(f"{index.where(number)}: ")]
  if panoptic is not None:
    runs = find_runs(panoptic)
    problems = label_problems(runs.labels, dataset)
    if problems:
      return name, problems
    _count_label(runs, dataset, found)
  found.sizes[size] += 1
  return name, []


def _name_in(features: dict) -> str:
  name = features.get(records.NAME)
  return name.decode(errors="replace") if isinstance(name, bytes) else ""


def _require(features: dict):
  """Raises ValueError unless the features of every record are there."""
  for feature, kind in _REQUIRED.items():
    if not isinstance(features.get(feature), kind):
      raise ValueError(f"{feature}: expected {kind.__name__}; it is missing.")
  name = features[records.NAME]
  if not name or "\ufffd" in _name_in(features):
    raise ValueError(f"{records.NAME}: expected a text in UTF-8; got {name!r}.")


def _repeated_names(found: Inspection) -> Iterator[BadRecord]:
  """The second and later records of a name."""
  first = {}
  for name, place in zip(found.names, found.places, strict=True):
    file, record = first.setdefault(name, place)
    if (file, record) != place:
      problem = f"{records.NAME}: stands in {file}, record {record} as well."
      yield BadRecord(*place, name, (problem,))


def _count_label(runs: LabelRuns, dataset, found: Inspection):
  areas = runs.areas()
  semantic, instance = dataset.codec.decode(runs.labels)
  void = semantic == dataset.ignore_label
  found.num_labelled += 1
  found.void_pixels += int(areas[void].sum())
  semantic, instance, areas = semantic[~void], instance[~void], areas[~void]
  thing = np.isin(semantic, dataset.thing_ids)
  crowd = thing & (instance == 0)
  found.images[np.unique(semantic)] += 1
  found.crowds[semantic[crowd]] += 1
  np.add.at(found.segments, semantic[~crowd], 1)
  np.add.at(found.pixels, semantic, areas)
  found.segments_an_image[int((~crowd).sum())] += 1
  found.things_an_image[int((thing & ~crowd).sum())] += 1


def _check_image(data: bytes, size: tuple[int, int]):
  """Raises ValueError unless the image decodes to (height, width)."""
  try:
    found = image_size(data)
    if found != size:
      raise ValueError(
        f"expected the stated height and width {size}; got {found}."
      )
    with opened_picture(io.BytesIO(data)) as picture:
      decode_coarsely(picture)
  except ValueError as error:
    raise ValueError(f"{records.IMAGE}: {error}") from error


def _decode_image(data: bytes, size: tuple[int, int]) -> np.ndarray:
  _check_image(data, size)
  with Image.open(io.BytesIO(data)) as picture:
    return np.asarray(picture.convert("RGB"))


def _decode_label(features: dict, size: tuple[int, int]) -> np.ndarray | None:
  data = features.get(records.LABEL)
  if data is None:
    return None
  stated = features.get(records.LABEL_FORMAT, records.DEFAULT_LABEL_FORMAT)
  if not isinstance(data, bytes):
    raise ValueError(f"{records.LABEL}: expected bytes; got {data!r}.")
  try:
    return decode_label(data, stated, size)
  except ValueError as error:
    raise ValueError(f"{records.LABEL}: {error}") from error


def _some(values: np.ndarray) -> str:
  shown = ", ".join(str(value) for value in values[:_MANY])
  return shown + (" ..." if len(values) > _MANY else "")
