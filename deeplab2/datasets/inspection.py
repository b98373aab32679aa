"""Looks at every record: is it right, and what is in it."""

import dataclasses
import functools
import io
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from deeplab2.datasets import records
from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.example_wire import read_example
from deeplab2.datasets.label_formats import decode_label
from deeplab2.datasets.parallel import map_in_processes
from deeplab2.datasets.record_index import RecordIndex

_REQUIRED = {
  records.IMAGE: bytes,
  records.NAME: bytes,
  records.HEIGHT: int,
  records.WIDTH: int,
}
_MANY = 8  # ids listed in a message


class BadRecord(NamedTuple):
  """A record that training would stumble over, or worse, would not."""

  place: str  # file and number
  name: str  # of the image, "" if unknown
  problems: tuple[str, ...]


class PlainRecord(NamedTuple):
  """A record in numpy."""

  image: np.ndarray  # h w 3  uint8
  panoptic: np.ndarray | None  # h w  int32
  name: str


@dataclasses.dataclass
class Inspection:
  """What is in records; `bad` ones count in `num_records` alone."""

  num_classes: int
  num_records: int = 0
  num_labelled: int = 0
  num_bytes: int = 0
  sizes: Counter = dataclasses.field(default_factory=Counter)  # (h, w)
  names: list[str] = dataclasses.field(default_factory=list)
  bad: list[BadRecord] = dataclasses.field(default_factory=list)
  images: np.ndarray = None  # c  images that have the class
  segments: np.ndarray = None  # c  instances, or regions of stuff
  crowds: np.ndarray = None  # c  images with a crowd of the class
  pixels: np.ndarray = None  # c
  void_pixels: int = 0
  most_segments: int = 0  # in an image, stuff included, void not
  most_things: int = 0

  def __post_init__(self):
    for field in ("images", "segments", "crowds", "pixels"):
      if getattr(self, field) is None:
        setattr(self, field, np.zeros(self.num_classes, np.int64))

  def merge(self, other: "Inspection"):
    """Takes in what was found in other records."""
    for field in dataclasses.fields(self):
      name = field.name
      ours, theirs = getattr(self, name), getattr(other, name)
      if name.startswith("most_"):
        setattr(self, name, max(ours, theirs))
      elif name != "num_classes":
        setattr(self, name, ours + theirs)


def inspect_files(
  files: Iterable[str],
  dataset: DatasetDescription,
  num_processes: int = 1,
  progress: Callable[[int], None] = lambda num_records: None,
) -> Inspection:
  """Reads all records of TFRecord files, with their checksums.

  Args:
    files: paths.
    dataset: the classes.
    num_processes: 1 stays in this process.
    progress: told the number of records after each file.
  """
  found = Inspection(dataset.num_classes)
  work = functools.partial(_inspect_file, dataset)
  for part in map_in_processes(work, files, num_processes):
    found.merge(part)
    progress(part.num_records)
  repeated = {n: c for n, c in Counter(found.names).items() if c > 1}
  for name, count in repeated.items():
    problem = f"image/filename: {name!r} stands in {count} records."
    found.bad.append(BadRecord("all files", name, (problem,)))
  return found


def read_plain(data: bytes) -> PlainRecord:
  """Decodes a serialized example without TensorFlow.

  Raises:
    ValueError: it cannot be decoded, or its sizes disagree.
  """
  features = read_example(data)
  for feature, kind in _REQUIRED.items():
    if not isinstance(features.get(feature), kind):
      raise ValueError(f"{feature}: expected {kind.__name__}; it is missing.")
  name = features[records.NAME].decode(errors="replace")
  size = (features[records.HEIGHT], features[records.WIDTH])
  image = _decode_image(features[records.IMAGE], size)
  return PlainRecord(image, _decode_label(features, size), name)


def label_problems(
  panoptic: np.ndarray, dataset: DatasetDescription
) -> list[str]:
  """Ids that no dataset of these classes has.  h w int32 -> texts"""
  ids = np.unique(panoptic)
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


def _inspect_file(dataset: DatasetDescription, path: str) -> Inspection:
  found = Inspection(dataset.num_classes)
  try:
    index = RecordIndex.from_files([path])
  except ValueError as error:
    found.bad.append(BadRecord(path, "", (str(error),)))
    return found
  for number in range(len(index)):
    _inspect_record(index, number, dataset, found)
  return found


def _inspect_record(index, number, dataset, found: Inspection):
  found.num_records += 1
  found.num_bytes += int(index.lengths[number])
  place = index.where(number)
  try:
    record = read_plain(index.read(number, verify=True))
  except ValueError as error:
    problem = str(error).removeprefix(f"{place}: ")
    found.bad.append(BadRecord(place, "", (problem,)))
    return
  found.names.append(record.name)
  if record.panoptic is not None:
    problems = label_problems(record.panoptic, dataset)
    if problems:
      found.bad.append(BadRecord(place, record.name, tuple(problems)))
      return
    _count_label(record.panoptic, dataset, found)
  found.sizes[record.image.shape[:2]] += 1


def _count_label(panoptic, dataset: DatasetDescription, found: Inspection):
  ids, areas = np.unique(panoptic, return_counts=True)
  semantic, instance = dataset.codec.decode(ids)
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
  found.most_segments = max(found.most_segments, int((~crowd).sum()))
  found.most_things = max(found.most_things, int((thing & ~crowd).sum()))


def _decode_image(data: bytes, size: tuple[int, int]) -> np.ndarray:
  try:
    with Image.open(io.BytesIO(data)) as picture:
      image = np.asarray(picture.convert("RGB"))
  except (UnidentifiedImageError, OSError, SyntaxError) as error:
    raise ValueError(f"{records.IMAGE}: does not decode: {error}") from error
  if image.shape[:2] != size:
    raise ValueError(
      f"{records.IMAGE}: expected the stated height and width {size}; "
      f"got {image.shape[:2]}."
    )
  return image


def _decode_label(features: dict, size: tuple[int, int]) -> np.ndarray | None:
  data = features.get(records.LABEL)
  if data is None:
    return None
  stated = features.get(records.LABEL_FORMAT, records.DEFAULT_LABEL_FORMAT)
  try:
    return decode_label(data, stated, size)
  except ValueError as error:
    raise ValueError(f"{records.LABEL}: {error}") from error


def _some(values: np.ndarray) -> str:
  shown = ", ".join(str(value) for value in values[:_MANY])
  return shown + (" ..." if len(values) > _MANY else "")
