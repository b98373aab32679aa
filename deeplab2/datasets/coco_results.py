"""Reads panoptic results and their truth in COCO's format, and pairs them.

    results.json     {"annotations": [{"image_id": 7, "file_name": "7.png",
                       "segments_info": [{"id": 3, "category_id": 18}]}]}
    results/7.png    a segment id a pixel; 0 is void

The truth has `categories` besides, and `iscrowd` and `area` a segment. Ids are
those of the source: categories of the JSON, not class ids.
"""

import json
import os
from typing import Any, NamedTuple

import numpy as np

from deeplab2.datasets.categories import describe_categories
from deeplab2.datasets.coco_annotations import segment_problems
from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.panoptic_png import read_segment_ids

# Leaves ids for more instances than any image has.
_DIVISOR = 2**16


class AnnotatedMap(NamedTuple):
  """One entry of `annotations`."""

  image_id: Any  # integer in COCO; a text will do
  map_path: str  # of the PNG
  segments: tuple[dict, ...]

  @property
  def name(self) -> str:
    """The PNG's name without folder and extension."""
    return os.path.splitext(os.path.basename(self.map_path))[0]


class SegmentTable(NamedTuple):
  """The checked segments of one map, in the order of the JSON."""

  map: np.ndarray  # h w int32, segment ids, 0 is void
  ids: np.ndarray  # s int64
  classes: np.ndarray  # s int64, class ids of the description
  crowd: np.ndarray  # s bool


def read_truth(
  json_path: str,
  map_dir: str | None = None,
  skipped: dict[str, str] | None = None,
) -> tuple[DatasetDescription, list[AnnotatedMap]]:
  """The classes and the annotated maps of a ground truth.

  Args:
    json_path: a panoptic JSON with `categories`.
    map_dir: folder of its PNGs; by default the path without ".json".
    skipped: takes up the bad entries, where it is -> what is wrong; without it
      they are errors.

  Raises:
    ValueError: names the file and what is wrong with it.
  """
  content = _read_json(json_path)
  name = os.path.splitext(os.path.basename(json_path))[0]
  try:
    dataset = describe_categories(content.get("categories"), name, _DIVISOR)
  except ValueError as error:
    raise ValueError(f"{json_path}: {error}") from error
  return dataset, _annotated_maps(json_path, content, map_dir, skipped)


def read_results(
  json_path: str,
  map_dir: str | None = None,
  skipped: dict[str, str] | None = None,
) -> list[AnnotatedMap]:
  """The annotated maps of a result file; arguments as in `read_truth`.

  What `area` and `iscrowd` say is dropped: they are the truth's to say.
  """
  maps = _annotated_maps(json_path, _read_json(json_path), map_dir, skipped)
  return [m._replace(segments=_without_claims(m.segments)) for m in maps]


def pair_results(
  truth: list[AnnotatedMap],
  results: list[AnnotatedMap],
  skipped: dict[str, str] | None = None,
) -> list[tuple[AnnotatedMap, AnnotatedMap]]:
  """Finds the result of every image of the truth, in the truth's order.

  An image's result has its image id or, where image ids are texts, the name of
  its PNG as image id. Further results are left out.

  Args:
    truth: of `read_truth`.
    results: of `read_results`.
    skipped: takes up images without a result; without it they are an error.

  Raises:
    ValueError: lists images without a result.
  """
  by_id = {result.image_id: result for result in results}
  pairs = [(t, by_id.get(t.image_id, by_id.get(t.name))) for t in truth]
  missing = [t.image_id for t, result in pairs if result is None]
  if skipped is not None:
    skipped |= {
      f"predictions, image id {image_id}": "expected one; there is none."
      for image_id in missing
    }
    pairs = [(t, result) for t, result in pairs if result is not None]
  elif missing:
    raise ValueError(
      f"predictions: expected one for each of the {len(truth)} images of the "
      f"truth; {len(missing)} are missing, such as image ids {missing[:5]}."
    )
  return pairs


def load_segments(
  annotated: AnnotatedMap,
  dataset: DatasetDescription,
  size: tuple[int, int] | None = None,
) -> SegmentTable:
  """Reads a map and checks it against its segments.

  Args:
    annotated: the map.
    dataset: classes that the segments may have.
    size: height and width that the map must have.

  Raises:
    ValueError: names the PNG, the image and all that is wrong.
  """
  ids = read_segment_ids(annotated.map_path)
  problems = segment_problems(ids, annotated.segments, dataset)
  if size not in (None, ids.shape):
    problems.insert(
      0, f"size: expected the truth's height and width {size}; got {ids.shape}."
    )
  if problems:
    head = f"{annotated.map_path}, image id {annotated.image_id}:"
    raise ValueError("\n  ".join([head, *problems]))
  class_of = dataset.class_of_category
  segments = annotated.segments
  return SegmentTable(
    map=ids,
    ids=np.array([s["id"] for s in segments], np.int64),
    classes=np.array([class_of[s["category_id"]] for s in segments], np.int64),
    crowd=np.array([s.get("iscrowd", 0) == 1 for s in segments], bool),
  )


def _without_claims(segments):
  kept = ("id", "category_id")
  return tuple({k: s[k] for k in kept if k in s} for s in segments)


def _read_json(path: str) -> dict:
  if not os.path.isfile(path):
    raise ValueError(
      f"{path}: expected a panoptic JSON; there is no such file."
    )
  with open(path, encoding="utf-8") as file:
    try:
      content = json.load(file)
    except (ValueError, RecursionError) as error:
      raise ValueError(f"{path}: not JSON: {error}") from error
  annotations = content.get("annotations") if isinstance(content, dict) else 0
  if not isinstance(annotations, list) or not annotations:
    raise ValueError(f"{path}: annotations: expected a list of objects.")
  return content


def _annotated_maps(json_path, content, map_dir, skipped) -> list[AnnotatedMap]:
  map_dir = map_dir or os.path.splitext(json_path)[0]
  if not os.path.isdir(map_dir):
    raise ValueError(
      f"{json_path}: expected its PNGs in a folder; there is no {map_dir}."
    )
  maps, seen = [], {}
  for i, annotation in enumerate(content["annotations"]):
    try:
      found = _annotated_map(annotation, map_dir)
      _check_new(found.image_id, seen, i)
      maps.append(found)
    except ValueError as error:
      label = f"{json_path}: annotations[{i}]"
      if skipped is None:
        raise ValueError(f"{label}{error}") from error
      skipped[label] = str(error).lstrip(":, ")
  return _with_files(json_path, map_dir, maps, skipped)


def _annotated_map(annotation, map_dir: str) -> AnnotatedMap:
  """The entry; an error's text goes on after the label of the entry."""
  fields = annotation if isinstance(annotation, dict) else {}
  image_id, file_name = fields.get("image_id"), fields.get("file_name")
  segments = fields.get("segments_info")
  if not isinstance(image_id, int | str):
    raise ValueError(f": image_id: expected an id; got {image_id!r}.")
  if not isinstance(file_name, str) or not file_name:
    raise ValueError(
      f", image id {image_id}: file_name: expected the name of a PNG; "
      f"got {file_name!r}."
    )
  good = isinstance(segments, list)
  if not good or not all(isinstance(s, dict) for s in segments):
    raise ValueError(
      f", image id {image_id}: segments_info: expected a list of "
      f"objects with id and category_id."
    )
  return AnnotatedMap(
    image_id, os.path.join(map_dir, file_name), tuple(segments)
  )


def _check_new(image_id, seen: dict, place: int):
  first = seen.setdefault(image_id, place)
  if first != place:
    raise ValueError(
      f" and annotations[{first}]: expected distinct images; got image id "
      f"{image_id} twice."
    )


def _with_files(
  json_path: str, map_dir: str, maps: list[AnnotatedMap], skipped
) -> list[AnnotatedMap]:
  missing = [m for m in maps if not os.path.isfile(m.map_path)]
  if skipped is not None:
    skipped |= {m.map_path: "there is no such file." for m in missing}
    return [m for m in maps if m.map_path not in skipped]
  if missing:
    raise ValueError(
      f"{json_path}: {len(missing)} of {len(maps)} PNGs are missing in "
      f"{map_dir}, such as {os.path.basename(missing[0].map_path)} of image id "
      f"{missing[0].image_id}."
    )
  return maps
