"""From an annotated image on disk to what a record holds, every bit checked."""

import io
import os
from collections import Counter
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from deeplab2.datasets.coco_folder import AnnotatedImage
from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.label_runs import find_runs
from deeplab2.datasets.panoptic_png import read_segment_ids
from deeplab2.datasets.pictures import decode_coarsely, opened_picture

_FORMATS = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png"}  # Pillow's to ours
_JPEG_QUALITY = 95
_EXIF_ORIENTATION = 0x0112


class AnnotationError(ValueError):
  """An image whose annotation is wrong; the text lists all that is."""


class ImageFile(NamedTuple):
  """An RGB image as stored in a record."""

  data: bytes
  format: str  # "jpeg" or "png"
  size: tuple[int, int]  # height, width


def load_annotated(
  image: AnnotatedImage,
  dataset: DatasetDescription | None,
  crowd_as_void: bool = True,
) -> tuple[ImageFile, np.ndarray | None]:
  """Reads an image and its panoptic map, and checks them against the JSON.

  Args:
    image: where they lie and what the JSON says.
    dataset: its classes; None for an unlabelled image.
    crowd_as_void: whether a crowd of things becomes void; else it keeps its
      class, with instance id 0.

  Returns:
    The image, and h w int32 panoptic ids (None if unlabelled).

  Raises:
    AnnotationError: with everything that is wrong with this image.
  """
  if image.problems:
    raise AnnotationError(_report(image, image.problems))
  try:
    ids = read_segment_ids(image.map_path) if dataset else None
    file = read_image(image.image_path, None if ids is None else ids.shape)
  except ValueError as error:
    raise AnnotationError(_report(image, [str(error)])) from error
  problems = _size_problems(image, file.size, ids)
  panoptic = None
  if dataset:
    problems += segment_problems(ids, image.segments, dataset)
    if not problems:
      panoptic = encode_segments(ids, image.segments, dataset, crowd_as_void)
  if problems:
    raise AnnotationError(_report(image, problems))
  return file, panoptic


def read_image(path: str, label_size: tuple[int, int] | None) -> ImageFile:
  """An RGB JPEG or PNG unchanged; anything else that Pillow reads, converted.

  A turn in the EXIF data is applied only where the label has the turned size:
  the readers of records ignore EXIF, and labels usually were drawn without it.
  """
  if not os.path.isfile(path):
    raise ValueError(f"image: expected a file; there is no {path}.")
  try:
    with open(path, "rb") as file:
      data = file.read()
    with opened_picture(io.BytesIO(data)) as picture:
      size = (picture.height, picture.width)
      kept = _FORMATS.get(picture.format)
      turned = _is_turned(picture, label_size)
      if kept and picture.mode == "RGB" and not turned:
        decode_coarsely(picture)
        return ImageFile(data, kept, size)
      upright = ImageOps.exif_transpose(picture) if turned else picture
      return _stored_as_rgb(upright, "jpeg" if kept == "jpeg" else "png")
  except (ValueError, OSError) as error:
    raise ValueError(f"image: {path}: {error}") from error


def _stored_as_rgb(picture: Image.Image, image_format: str) -> ImageFile:
  stored = io.BytesIO()
  picture.convert("RGB").save(
    stored, format=image_format, quality=_JPEG_QUALITY
  )
  size = (picture.height, picture.width)
  return ImageFile(stored.getvalue(), image_format, size)


def _is_turned(picture: Image.Image, label_size) -> bool:
  """Whether the label has the turned size of a turned picture."""
  turned = picture.getexif().get(_EXIF_ORIENTATION, 1) >= 5  # sides swapped
  stored_size = (picture.height, picture.width)
  return turned and label_size is not None and stored_size != label_size


def segment_problems(
  ids: np.ndarray, segments: tuple[dict, ...], dataset: DatasetDescription
) -> list[str]:
  """All contradictions between a map of segment ids and the JSON's segments.

  Args:
    ids: h w, 0 where unlabelled.
    segments: with `id`, `category_id`; `area` is checked where given, and
      `iscrowd` is 0 where not.
    dataset: the classes.
  """
  runs = find_runs(ids)
  areas = dict(zip(runs.labels.tolist(), runs.areas().tolist(), strict=True))
  problems = _identity_problems(segments)
  if problems:
    return problems
  for segment in segments:
    problems += _segment_problems(segment, areas, dataset)
  unlisted = set(areas) - {0} - {segment["id"] for segment in segments}
  for segment_id in sorted(unlisted):
    problems.append(
      f"segment {segment_id}: the map has {areas[segment_id]} pixels of it; "
      f"the JSON does not list it."
    )
  return problems + _crowding_problems(segments, dataset)


def encode_segments(
  ids: np.ndarray,
  segments: tuple[dict, ...],
  dataset: DatasetDescription,
  crowd_as_void: bool = True,
) -> np.ndarray:
  """Panoptic ids, h w int32, of segments that have no problems.

  Things of a class are numbered from 1 in the order of the JSON; stuff and
  crowds have instance id 0; what no segment covers is void.
  """
  class_of = dataset.class_of_category
  void = dataset.codec.encode(dataset.ignore_label, 0)
  runs = find_runs(ids)
  value_of = {}
  count = Counter()
  for segment in segments:
    class_id = class_of[segment["category_id"]]
    instance = 0
    if class_id in dataset.thing_ids and not segment.get("iscrowd", 0):
      count[class_id] += 1
      instance = count[class_id]
    value_of[segment["id"]] = dataset.codec.encode(class_id, instance)
    if segment.get("iscrowd", 0) and crowd_as_void:
      value_of[segment["id"]] = void
  values = [value_of.get(segment_id, void) for segment_id in runs.labels]
  return runs.filled(np.array(values, np.int32))


def _size_problems(image, size, ids) -> list[str]:
  problems = []
  if ids is not None and ids.shape != size:
    problems.append(
      f"panoptic map: expected the image's height and width {size}; "
      f"got {ids.shape}."
    )
  stated = image.stated_size
  if stated not in (None, size):
    problems.append(
      f"images: the JSON states height and width {stated}; "
      f"the image has {size}."
    )
  return problems


def _identity_problems(segments: tuple[dict, ...]) -> list[str]:
  """Segments that cannot be told apart, or lack what identifies them."""
  for place, segment in enumerate(segments):
    number = isinstance(segment, dict) and segment.get("id")
    if type(number) is not int or not 0 < number < 2**24:
      return [
        f"segments_info[{place}]: expected an id of 1..16777215; got {segment}."
      ]
  count = Counter(segment["id"] for segment in segments)
  return [
    f"segment {segment_id}: listed {times} times."
    for segment_id, times in count.items()
    if times > 1
  ]


def _segment_problems(segment, areas, dataset) -> list[str]:
  label = f"segment {segment['id']}"
  problems = []
  found = areas.get(segment["id"], 0)
  if not found:
    problems.append(f"{label}: the map has no pixel of it.")
  elif segment.get("area", found) != found:
    problems.append(
      f"{label}: area: the JSON states {segment['area']} pixels; "
      f"the map has {found}."
    )
  class_id = _class_id(segment, dataset)
  if class_id is None:
    problems.append(
      f"{label}: category_id: expected the id of a category; "
      f"got {segment.get('category_id')!r}."
    )
  iscrowd = segment.get("iscrowd", 0)
  if iscrowd not in (0, 1):
    problems.append(f"{label}: iscrowd: expected 0 or 1; got {iscrowd!r}.")
  elif iscrowd and class_id is not None and class_id not in dataset.thing_ids:
    name = dataset.class_names[class_id]
    problems.append(f"{label}: iscrowd: {name!r} is stuff, which has no crowd.")
  return problems


def _class_id(segment: dict, dataset: DatasetDescription) -> int | None:
  category = segment.get("category_id")
  known = isinstance(category, int)
  return dataset.class_of_category.get(category) if known else None


def _crowding_problems(segments, dataset) -> list[str]:
  """Classes with more instances than the divisor leaves ids for."""
  classes = (_class_id(segment, dataset) for segment in segments)
  count = Counter(c for c in classes if c in dataset.thing_ids)
  return [
    f"{dataset.class_names[class_id]}: expected at most {dataset.divisor - 1} "
    f"instances, one less than the label divisor; got {number}."
    for class_id, number in count.items()
    if number >= dataset.divisor
  ]


def _report(image: AnnotatedImage, problems) -> str:
  return "\n  ".join([f"{image.name}:", *problems])
