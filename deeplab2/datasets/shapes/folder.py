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
import json
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

from deeplab2.datasets.parallel import map_in_processes
from deeplab2.datasets.shapes.classes import CATEGORIES
from deeplab2.datasets.shapes.scene import Scene, draw_scene

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
    ValueError: a split of that name is there, but was drawn otherwise.
  """
  json_path = os.path.join(
    root, "annotations", f"panoptic_{plan.split}2017.json"
  )
  if _already_drawn(json_path, plan):
    return json_path
  os.makedirs(os.path.join(root, f"{plan.split}2017"), exist_ok=True)
  os.makedirs(os.path.splitext(json_path)[0], exist_ok=True)
  draw = functools.partial(_write_image, root, plan)
  done = map_in_processes(draw, range(plan.num_images), num_processes, chunk=16)
  entries = list(progress(done, plan.num_images))
  _write_json(json_path, plan, entries)
  return json_path


def _already_drawn(json_path: str, plan: ShapesSplit) -> bool:
  if not os.path.exists(json_path):
    return False
  with open(json_path, encoding="utf-8") as file:
    found = json.load(file).get("info", {}).get("shapes")
  if found == dataclasses.asdict(plan):
    return True
  raise ValueError(
    f"output_dir: {json_path} was drawn with {found}, not with "
    f"{dataclasses.asdict(plan)}; remove it or choose another folder."
  )


def _write_image(root: str, plan: ShapesSplit, number: int) -> dict[str, Any]:
  """Writes the JPEG and the PNG; returns their entries for the JSON."""
  scene = plan.scene(number)
  name = f"{number + 1:012d}"
  jpeg = os.path.join(root, f"{plan.split}2017", f"{name}.jpg")
  Image.fromarray(scene.image).save(jpeg, quality=_JPEG_QUALITY)
  png = os.path.join(
    root, "annotations", f"panoptic_{plan.split}2017", f"{name}.png"
  )
  ids = scene.ids.astype("<u4")[..., None].view(np.uint8)
  Image.fromarray(np.ascontiguousarray(ids[..., :3])).save(png)
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
  temporary = f"{path}.part"
  with open(temporary, "w", encoding="utf-8") as file:
    json.dump(content, file)
  os.replace(temporary, path)
