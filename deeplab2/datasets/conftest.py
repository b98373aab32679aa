"""A tiny folder in COCO's panoptic layout, to be converted or broken."""

import json
import os

import numpy as np
import pytest
from PIL import Image

H, W = 11, 17

CATEGORIES = [
  {"id": 9, "name": "lawn", "isthing": 0, "color": [1, 200, 3]},
  {"id": 2, "name": "cat", "isthing": 1},
  {"id": 5, "name": "dog", "isthing": 1},
]


class TinyFolder:
  """Five images a split; image i has i cats, a dog and lawn, one dog crowd."""

  def __init__(self, root):
    self.root = str(root)

  def path(self, *parts) -> str:
    return os.path.join(self.root, *parts)

  def json_path(self, split: str) -> str:
    return self.path("annotations", f"panoptic_{split}2017.json")

  def map_path(self, split: str, number: int) -> str:
    folder = f"panoptic_{split}2017"
    return self.path("annotations", folder, f"{number:012d}.png")

  def image_path(self, split: str, number: int) -> str:
    return self.path(f"{split}2017", f"{number:012d}.jpg")

  def edit(self, split: str, change):
    """Applies `change(content)` to the JSON of a split."""
    with open(self.json_path(split)) as file:
      content = json.load(file)
    change(content)
    with open(self.json_path(split), "w") as file:
      json.dump(content, file)

  def edit_annotation(self, split: str, number: int, change):
    self.edit(split, lambda content: change(content["annotations"][number]))

  def add_split(self, split: str, num_images: int = 5):
    os.makedirs(self.path(f"{split}2017"))
    os.makedirs(os.path.splitext(self.json_path(split))[0])
    entries = [self._add_image(split, i) for i in range(num_images)]
    content = {
      "images": [image for image, _ in entries],
      "annotations": [annotation for _, annotation in entries],
      "categories": CATEGORIES,
    }
    with open(self.json_path(split), "w") as file:
      json.dump(content, file)

  def _add_image(self, split: str, number: int):
    pixels = np.random.default_rng(number).integers(0, 256, (H, W, 3), np.uint8)
    Image.fromarray(pixels).save(self.image_path(split, number))
    ids, segments = tiny_label(number)
    save_ids(self.map_path(split, number), ids)
    image = {
      "id": 100 + number,
      "file_name": f"{number:012d}.jpg",
      "height": H,
      "width": W,
    }
    annotation = {
      "image_id": 100 + number,
      "file_name": f"{number:012d}.png",
      "segments_info": segments,
    }
    return image, annotation


def tiny_label(num_cats: int):
  """h w segment ids, and their segments: cats, a dog, a dog crowd, lawn."""
  ids = np.zeros((H, W), np.int32)
  ids[7:] = 70000
  ids[0, :5] = 256
  ids[1, :3] = 257
  for cat in range(num_cats):
    ids[2 + cat, 2:9] = 1000 + cat
  cats = [(1000 + cat, 2, 0) for cat in range(num_cats)]
  rows = [*cats, (256, 5, 0), (257, 5, 1), (70000, 9, 0)]
  segments = [
    {
      "id": segment_id,
      "category_id": category,
      "iscrowd": iscrowd,
      "area": int((ids == segment_id).sum()),
    }
    for segment_id, category, iscrowd in rows
  ]
  return ids, segments


def save_ids(path: str, ids: np.ndarray):
  rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1)
  Image.fromarray(rgb.astype(np.uint8)).save(path)


@pytest.fixture
def tiny_folder(tmp_path) -> TinyFolder:
  folder = TinyFolder(tmp_path / "tiny")
  folder.add_split("train")
  folder.add_split("val", num_images=3)
  return folder
