"""Writes panoptic maps as COCO's test server and panopticapi take them."""

import contextlib
import io
import json
import os
from collections.abc import Mapping

import numpy as np
from PIL import Image

from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.whole_file import whole_file, write_text


class CocoResultWriter:
  """One PNG an image beside a JSON, which appears when all is written.

      writer = CocoResultWriter("out/panoptic.json", dataset)
      writer.add("000000000139", panoptic)  # out/panoptic/000000000139.png
      writer.finish()                       # out/panoptic.json

  No file appears before it is whole, and the JSON of an earlier run is removed
  at the start, so a JSON never lists maps that it was not written for.
  """

  def __init__(
    self,
    json_path: str,
    dataset: DatasetDescription,
    image_ids: Mapping[str, int] | None = None,
  ):
    """Makes the folder for the PNGs: the path without ".json".

    Args:
      json_path: such as "out/panoptic_val2017_results.json".
      dataset: gives the categories of the source their ids.
      image_ids: image id of each name; by default the number that a name is,
        as in COCO, else the name.
    """
    root, extension = os.path.splitext(json_path)
    if extension != ".json":
      raise ValueError(
        f"json_path: expected a name ending in .json; got {json_path!r}."
      )
    self._json_path, self._map_dir = json_path, root
    self._dataset, self._image_ids = dataset, image_ids
    self._annotations = {}
    os.makedirs(root, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
      os.remove(json_path)

  def add(self, name: str, panoptic: np.ndarray) -> None:
    """Writes one map.

    Args:
      name: of the image file, without extension.
      panoptic: h w int32, class * divisor + instance.

    Raises:
      ValueError: the name came before or leads out of the folder, or an id is
        of no class.
    """
    if name in self._annotations:
      raise ValueError(f"name: expected each image once; got {name!r} twice.")
    segment_map, segments = number_segments(panoptic, self._dataset)
    with whole_file(self._map_path(name), durable=False) as file:
      file.write(encode_map(segment_map))
    self._annotations[name] = {
      "image_id": self._image_id(name),
      "file_name": f"{name}.png",
      "segments_info": segments,
    }

  def finish(self) -> str:
    """Writes the JSON, in order of name; returns its path."""
    ordered = [self._annotations[name] for name in sorted(self._annotations)]
    write_text(self._json_path, json.dumps({"annotations": ordered}))
    return self._json_path

  def _map_path(self, name: str) -> str:
    """Names may hold folders, and in records of others more than that."""
    folder = os.path.abspath(self._map_dir)
    path = os.path.abspath(os.path.join(folder, f"{name}.png"))
    if os.path.commonpath([folder, path]) != folder:
      raise ValueError(
        f"name: expected one that stays below {folder}; got {name!r}."
      )
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path

  def _image_id(self, name: str) -> int | str:
    if self._image_ids is not None:
      return self._image_ids[name]
    return int(name) if name.isdecimal() else name


def number_segments(
  panoptic: np.ndarray, dataset: DatasetDescription
) -> tuple[np.ndarray, list[dict]]:
  """Numbers the segments of a map 1, 2, ... as COCO wants them; 0 is void.

  Returns:
    The segment ids, h w int32, and their `segments_info`.

  Raises:
    ValueError: an id is of a class that the source does not have.
  """
  present, place = np.unique(panoptic, return_inverse=True)
  classes, _ = dataset.codec.decode(present)
  counts = classes != dataset.ignore_label
  place = place.reshape(panoptic.shape)
  segment_map = (np.cumsum(counts) * counts).astype(np.int32)[place]
  segments = []
  for i, class_id in enumerate(classes[counts].tolist(), start=1):
    y, x = np.nonzero(segment_map == i)
    left, top = int(x.min()), int(y.min())
    segments.append(
      {
        "id": i,
        "category_id": _category(class_id, dataset),
        "area": len(x),
        "bbox": [left, top, int(x.max()) - left + 1, int(y.max()) - top + 1],
        "iscrowd": 0,
      }
    )
  return segment_map, segments


def encode_map(ids: np.ndarray) -> bytes:
  """A map of segment ids, h w, as a PNG of COCO's kind."""
  colors = np.stack([ids, ids >> 8, ids >> 16], axis=-1)
  return encode_png(colors.astype(np.uint8))


def encode_png(pixels: np.ndarray) -> bytes:
  """A picture, h w 3 uint8, as a PNG."""
  content = io.BytesIO()
  Image.fromarray(pixels).save(content, format="PNG")
  return content.getvalue()


def _category(class_id: int, dataset: DatasetDescription) -> int:
  known = class_id < dataset.num_classes
  category = dataset.category_ids[class_id] if known else None
  if category is None:
    raise ValueError(
      f"panoptic: expected classes of {dataset.name!r} that have a category; "
      f"got class {class_id}."
    )
  return category
