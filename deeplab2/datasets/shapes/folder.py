"""Writes the shapes set in COCO's own on-disk layout.

    train2017/000000000007.jpg
    annotations/panoptic_train2017/000000000007.png
    annotations/panoptic_train2017.json

An image is a function of (seed, split, number) alone, so neither the number of
processes nor a restart changes a byte. The JSON comes last: it is there only
when the split is whole.
"""

import dataclasses
import functools
import io
import json
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

from deeplab2.datasets.parallel import map_in_processes
from deeplab2.datasets.shapes.classes import CATEGORIES
from deeplab2.datasets.shapes.scene import Scene, draw_scene
from deeplab2.datasets.whole_file import (
  only_writer,
  remove_leftovers,
  whole_file,
  write_text,
)

SPLITS = ("train", "val")
_SHORTEST_SIDE = 0.8  # of the longest
_JPEG_QUALITY = 92


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShapesSplit:
  """What determines every byte of a split."""

  split: str
  num_images: int
  size: int = 129  # pixels of the longer side
  seed: int = 0

  def __post_init__(self):
    if self.split not in SPLITS:
      raise ValueError(f"split: expected one of {SPLITS}; got {self.split!r}.")
    if self.num_images < 1:
      raise ValueError(
        f"num_images: expected 1 or more; got {self.num_images}."
      )
    if not 33 <= self.size <= 4097:
      raise ValueError(f"size: expected 33..4097 pixels; got {self.size}.")
    if self.seed < 0:
      raise ValueError(f"seed: expected 0 or more; got {self.seed}.")

  def scene(self, number: int) -> Scene:
    """Image `number`; one side is `size`, the other down to 0.8 of it."""
    key = (self.seed, SPLITS.index(self.split), number)
    rng = np.random.default_rng(key)
    shorter = round(self.size * rng.uniform(_SHORTEST_SIDE, 1.0))
    sides = (shorter, self.size)
    return draw_scene(rng, sides if rng.random() < 0.7 else sides[::-1])


def write_split(
  root: str,
  plan: ShapesSplit,
  num_processes: int = 1,
  progress=lambda items, total: items,
) -> str:
  """Draws a split below `root`, unless it is there already.

  Args:
    root: folder of the dataset; made if missing.
    plan: what to draw.
    num_processes: 1 draws in this process.
    progress: wraps the finished images, `progress(images, total)`.

  Returns:
    Path of the panoptic JSON.

  Raises:
    ValueError: a split of that name is there, but was drawn otherwise, or
      another program is drawing below `root`.
  """
  os.makedirs(root, exist_ok=True)
  with only_writer(root):
    return _write_split(root, plan, num_processes, progress)


def _write_split(root: str, plan: ShapesSplit, num_processes, progress) -> str:
  json_path = os.path.join(
    root, "annotations", f"panoptic_{plan.split}2017.json"
  )
  if _already_drawn(json_path, plan):
    return json_path
  folders = (
    os.path.join(root, f"{plan.split}2017"),
    os.path.splitext(json_path)[0],
  )
  for folder in folders:
    os.makedirs(folder, exist_ok=True)
  draw = functools.partial(_write_image, root, plan)
  done = map_in_processes(draw, range(plan.num_images), num_processes, chunk=16)
  try:
    entries = list(progress(done, plan.num_images))
  finally:
    done.close()  # ends the processes before their leftovers go
    for folder in folders:
      remove_leftovers(folder)
  _write_json(json_path, plan, entries)
  return json_path


def _already_drawn(json_path: str, plan: ShapesSplit) -> bool:
  if not os.path.exists(json_path):
    return False
  found = _drawn_with(json_path)
  if found == dataclasses.asdict(plan):
    return True
  raise ValueError(
    f"output_dir: {json_path} was drawn with {found}, not with "
    f"{dataclasses.asdict(plan)}; remove it or choose another folder."
  )


def _drawn_with(json_path: str):
  """What the JSON says of itself; None of a broken or foreign one."""
  with open(json_path, encoding="utf-8") as file:
    try:
      return json.load(file)["info"]["shapes"]
    except (ValueError, LookupError, TypeError, RecursionError):
      return None


def _write_image(root: str, plan: ShapesSplit, number: int) -> dict[str, Any]:
  """Writes the JPEG and the PNG; returns their entries for the JSON."""
  scene = plan.scene(number)
  name = f"{number + 1:012d}"
  jpeg = os.path.join(root, f"{plan.split}2017", f"{name}.jpg")
  _save(jpeg, scene.image, "JPEG", quality=_JPEG_QUALITY)
  png = os.path.join(
    root, "annotations", f"panoptic_{plan.split}2017", f"{name}.png"
  )
  ids = scene.ids.astype("<u4")[..., None].view(np.uint8)
  _save(png, np.ascontiguousarray(ids[..., :3]), "PNG")
  height, width = scene.ids.shape
  return {
    "image": {
      "id": number + 1,
      "file_name": f"{name}.jpg",
      "height": height,
      "width": width,
    },
    "annotation": {
      "image_id": number + 1,
      "file_name": f"{name}.png",
      "segments_info": _segments_info(scene),
    },
  }


def _save(path: str, pixels: np.ndarray, image_format: str, **options):
  content = io.BytesIO()
  Image.fromarray(pixels).save(content, image_format, **options)
  with whole_file(path, durable=False) as file:
    file.write(content.getvalue())


def _segments_info(scene: Scene) -> list[dict[str, Any]]:
  infos = []
  for segment in scene.segments:
    y, x = np.nonzero(scene.ids == segment.id)
    left, top = int(x.min()), int(y.min())
    box = [left, top, int(x.max()) - left + 1, int(y.max()) - top + 1]
    infos.append({**segment._asdict(), "area": len(x), "bbox": box})
  return infos


def _write_json(path: str, plan: ShapesSplit, entries: Iterable[dict]):
  entries = list(entries)
  content = {
    "info": {
      "description": "Synthetic shapes on textures, for panoptic segmentation",
      "shapes": dataclasses.asdict(plan),
    },
    "images": [entry["image"] for entry in entries],
    "annotations": [entry["annotation"] for entry in entries],
    "categories": CATEGORIES,
  }
  write_text(path, json.dumps(content))
