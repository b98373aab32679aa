"""Reads a folder in COCO's panoptic layout: which images, which annotations.

    {split}2017/*.jpg
    annotations/panoptic_{split}2017.json
    annotations/panoptic_{split}2017/*.png
    annotations/image_info_{split}2017.json   images only, for a test split

"2017" may be left out of all names. Pixels are not looked at here; what the
JSON alone shows to be wrong with an image is kept with the image.
"""

import dataclasses
import hashlib
import json
import os
from collections import Counter
from typing import Any, NamedTuple

from deeplab2.datasets.categories import describe_categories
from deeplab2.datasets.description import DatasetDescription

SPLITS = ("train", "val", "test")
_YEARS = ("2017", "")
_EXTENSIONS = (".jpg", ".jpeg", ".png")


class AnnotatedImage(NamedTuple):
  """An image as the JSON lists it."""

  name: str  # file name without extension
  image_path: str
  map_path: str | None  # panoptic PNG; None where unlabelled
  segments: tuple[dict, ...]  # `segments_info` of the JSON
  stated_size: tuple[Any, Any] | None  # (height, width) in the JSON
  problems: tuple[str, ...]  # what the JSON alone shows to be wrong


@dataclasses.dataclass(frozen=True)
class CocoSplit:
  """A split on disk. Without annotations, `dataset` is None."""

  name: str
  images: tuple[AnnotatedImage, ...]  # in order of file name
  dataset: DatasetDescription | None
  source_hash: str  # of the JSON, or of the file names without one
  unlisted: int  # images in the folder that the JSON does not name


def find_splits(root: str, wanted: list[str] | None = None) -> list[str]:
  """The splits a folder has, in the order train, val, test.

  Args:
    root: the dataset's folder.
    wanted: splits that must be there; None for all that are.
  """
  unknown = sorted(set(wanted or ()) - set(SPLITS))
  if unknown:
    raise ValueError(f"splits: expected some of {SPLITS}; got {unknown}.")
  if not os.path.isdir(root):
    raise ValueError(f"coco_root: expected a folder; got {root!r}.")
  found = [split for split in SPLITS if _image_folder(root, split)]
  missing = [split for split in wanted or () if split not in found]
  if missing or not found:
    raise ValueError(
      f"coco_root: expected folders of images such as train2017 or val2017 in "
      f"{root!r}; found none for {missing or list(SPLITS)}."
    )
  return [split for split in found if not wanted or split in wanted]


def read_split(
  root: str, split: str, dataset_name: str, divisor: int
) -> CocoSplit:
  """Reads the JSON of a split and checks what it says of itself.

  Args:
    root: the dataset's folder.
    split: one of `SPLITS`.
    dataset_name: name for classes that are not COCO's.
    divisor: label divisor of the description.

  Raises:
    ValueError: the JSON is missing or is not a panoptic one, or its categories
      are wrong. What is wrong with single images is left to the caller.
  """
  json_path = _find(root, "annotations/panoptic_{}{}.json", split)
  if json_path:
    return _read_labelled(root, split, json_path, dataset_name, divisor)
  if split != "test":
    raise ValueError(
      f"coco_root: expected annotations/panoptic_{split}2017.json beside the "
      f"images of {split!r}; there is none in {root!r}."
    )
  return _read_unlabelled(root, split)


def _read_labelled(root, split, json_path, dataset_name, divisor) -> CocoSplit:
  content, source_hash = _read_json(json_path)
  _require_lists(json_path, content, ("images", "annotations", "categories"))
  try:
    dataset = describe_categories(content["categories"], dataset_name, divisor)
  except ValueError as error:
    raise ValueError(f"{json_path}: {error}") from error
  _require_panoptic(json_path, content["annotations"])
  image_dir = _image_folder(root, split)
  map_dir = os.path.splitext(json_path)[0]
  by_image, strays = _group_annotations(content)
  images = [
    _annotated_image(
      entry, by_image.get(_key(entry.get("id")), []), image_dir, map_dir
    )
    for entry in content["images"]
  ]
  repeated = _repeated_ids(content["images"])
  images = [
    _with_problem(image, "images: its id is listed more than once.")
    if _key(entry.get("id")) in repeated
    else image
    for entry, image in zip(content["images"], images, strict=True)
  ]
  images = _mark_repeated_names([*images, *strays])
  return CocoSplit(
    split, images, dataset, source_hash, _count_unlisted(image_dir, images)
  )


def _read_unlabelled(root: str, split: str) -> CocoSplit:
  """Images alone: those of the image-info JSON, else all in the folder."""
  image_dir = _image_folder(root, split)
  json_path = _find(root, "annotations/image_info_{}{}.json", split)
  if json_path:
    content, source_hash = _read_json(json_path)
    _require_lists(json_path, content, ("images",))
    entries = content["images"]
  else:
    entries = [{"file_name": name} for name in _image_files(image_dir)]
    names = "\n".join(entry["file_name"] for entry in entries)
    source_hash = hashlib.sha256(names.encode()).hexdigest()
  images = _mark_repeated_names(
    [_annotated_image(entry, None, image_dir, None) for entry in entries]
  )
  return CocoSplit(
    split, images, None, source_hash, _count_unlisted(image_dir, images)
  )


def _annotated_image(entry, annotations, image_dir, map_dir) -> AnnotatedImage:
  """An entry of `images` with its annotations; None where none are expected."""
  file_name = entry.get("file_name")
  if not isinstance(file_name, str) or not file_name:
    problem = f"images: expected a file_name; got {entry}."
    return _broken_image(f"image id {entry.get('id')}", problem)
  problems = []
  map_path, segments = None, ()
  if annotations is not None and len(annotations) != 1:
    problems.append(
      f"annotations: expected one for image id {entry.get('id')}; "
      f"got {len(annotations)}."
    )
  elif annotations:
    map_path, segments, problems = _read_annotation(annotations[0], map_dir)
  size = (entry.get("height"), entry.get("width"))
  return AnnotatedImage(
    name=os.path.splitext(file_name)[0],
    image_path=os.path.join(image_dir, file_name),
    map_path=map_path,
    segments=tuple(segments),
    stated_size=None if size == (None, None) else size,
    problems=tuple(problems),
  )


def _read_annotation(annotation: dict, map_dir: str):
  file_name = annotation.get("file_name")
  segments = annotation.get("segments_info")
  problems = []
  if not isinstance(file_name, str) or not file_name:
    problems.append(f"annotation: expected a file_name; got {file_name!r}.")
    file_name = ""
  if not isinstance(segments, list):
    problems.append(f"annotation: expected segments_info; got {segments!r}.")
    segments = ()
  return os.path.join(map_dir, file_name), segments, problems


def _group_annotations(content: dict):
  """Annotations by image id, and those that belong to no listed image."""
  listed = {_key(entry.get("id")) for entry in content["images"]}
  by_image, strays = {}, []
  for annotation in content["annotations"]:
    image_id = annotation.get("image_id")
    if image_id is not None and _key(image_id) in listed:
      by_image.setdefault(_key(image_id), []).append(annotation)
    else:
      name = annotation.get("file_name")
      label = name if isinstance(name, str) else f"image id {image_id}"
      problem = f"annotation: image id {image_id} is not among the images."
      strays.append(_broken_image(os.path.splitext(label)[0], problem))
  return by_image, strays


def _key(image_id) -> str:
  """An id to look up by, whatever JSON value a broken file puts there."""
  return json.dumps(image_id, sort_keys=True)


def _broken_image(name: str, problem: str) -> AnnotatedImage:
  return AnnotatedImage(name, "", None, (), None, (problem,))


def _with_problem(image: AnnotatedImage, problem: str) -> AnnotatedImage:
  return image._replace(problems=(*image.problems, problem))


def _mark_repeated_names(images: list[AnnotatedImage]):
  """Sorted by name; the second and later of a name get a problem."""
  images = sorted(images, key=lambda image: image.name)
  for i in range(1, len(images)):
    if images[i].name == images[i - 1].name:
      problem = f"images: {images[i].name!r} is listed more than once."
      images[i] = _with_problem(images[i], problem)
  return tuple(images)


def _repeated_ids(entries: list[dict]) -> set[str]:
  count = Counter(_key(entry.get("id")) for entry in entries)
  return {key for key, times in count.items() if times > 1}


def _read_json(path: str) -> tuple[dict, str]:
  with open(path, "rb") as file:
    data = file.read()
  try:
    content = json.loads(data)
  except (ValueError, RecursionError) as error:
    raise ValueError(f"{path}: not JSON: {error}") from error
  return content, hashlib.sha256(data).hexdigest()


def _require_lists(path: str, content, fields: tuple[str, ...]):
  for field in fields:
    value = content.get(field) if isinstance(content, dict) else None
    good = isinstance(value, list) and all(isinstance(v, dict) for v in value)
    if not good or not value:
      raise ValueError(f"{path}: {field}: expected a list of objects.")


def _require_panoptic(path: str, annotations: list[dict]):
  """Tells the usual mix-up, an instance JSON, from a damaged panoptic one."""
  if not any("segments_info" in annotation for annotation in annotations):
    raise ValueError(
      f"{path}: expected panoptic annotations, each with segments_info and the "
      f"file_name of a PNG; got fields {sorted(annotations[0])}."
    )


def _find(root: str, pattern: str, split: str) -> str | None:
  paths = [os.path.join(root, pattern.format(split, year)) for year in _YEARS]
  return next((path for path in paths if os.path.exists(path)), None)


def _image_folder(root: str, split: str) -> str | None:
  return _find(root, "{}{}", split)


def _image_files(folder: str) -> list[str]:
  names = sorted(os.listdir(folder))
  return [name for name in names if name.lower().endswith(_EXTENSIONS)]


def _count_unlisted(folder: str, images) -> int:
  listed = {os.path.basename(image.image_path) for image in images}
  return len(set(_image_files(folder)) - listed)
