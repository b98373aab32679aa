import filecmp
import json
import os

import numpy as np
import pytest
from PIL import Image

from deeplab2.datasets.coco_annotations import load_annotated
from deeplab2.datasets.coco_folder import read_split
from deeplab2.datasets.shapes import SHAPES_PANOPTIC
from deeplab2.datasets.shapes.folder import ShapesSplit, write_split

PLAN = ShapesSplit(split="val", num_images=5, size=65, seed=3)


def _files(root) -> list[str]:
  return sorted(
    os.path.relpath(os.path.join(folder, name), root)
    for folder, _, names in os.walk(root)
    for name in names
  )


def test_the_reader_of_coco_finds_nothing_wrong(tmp_path):
  write_split(str(tmp_path), PLAN)
  split = read_split(str(tmp_path), "val", "shapes_panoptic", 256)
  assert split.dataset == SHAPES_PANOPTIC
  assert (len(split.images), split.unlisted) == (5, 0)
  for image in split.images:
    file, panoptic = load_annotated(image, split.dataset)
    assert file.format == "jpeg"
    assert max(panoptic.shape) == 65
    assert min(panoptic.shape) >= 52


def test_the_number_of_processes_changes_no_byte(tmp_path):
  for name, num_processes in (("one", 1), ("two", 2)):
    write_split(str(tmp_path / name), PLAN, num_processes)
  names = _files(tmp_path / "one")
  assert names == _files(tmp_path / "two")
  same, _, _ = filecmp.cmpfiles(
    tmp_path / "one", tmp_path / "two", names, shallow=False
  )
  assert same == names


def test_pictures_show_the_scene(tmp_path):
  write_split(str(tmp_path), PLAN)
  scene = PLAN.scene(2)
  with Image.open(tmp_path / "val2017" / "000000000003.jpg") as picture:
    error = np.asarray(picture, np.float32) - scene.image
  assert np.abs(error).mean() < 8


def test_images_depend_on_seed_split_and_number_only():
  longer = ShapesSplit(split="val", num_images=99, size=65, seed=3)
  np.testing.assert_array_equal(longer.scene(2).image, PLAN.scene(2).image)
  train = ShapesSplit(split="train", num_images=5, size=65, seed=3)
  other = ShapesSplit(split="val", num_images=5, size=65, seed=4)
  for plan in (train, other):
    assert not np.array_equal(plan.scene(2).ids, PLAN.scene(2).ids)


def test_boxes_and_areas_are_those_of_the_pixels(tmp_path):
  with open(write_split(str(tmp_path), PLAN)) as file:
    content = json.load(file)
  scene = PLAN.scene(0)
  for info in content["annotations"][0]["segments_info"]:
    inside = scene.ids == info["id"]
    left, top, width, height = info["bbox"]
    box = inside[top : top + height, left : left + width]
    assert info["area"] == inside.sum() == box.sum()
    assert box.any(axis=0)[[0, -1]].all()
    assert box.any(axis=1)[[0, -1]].all()


def test_a_whole_split_is_not_drawn_again_nor_mixed(tmp_path):
  path = write_split(str(tmp_path), PLAN)
  image = tmp_path / "val2017" / "000000000001.jpg"
  os.remove(image)
  write_split(str(tmp_path), PLAN)
  assert not image.exists()
  other = ShapesSplit(split="val", num_images=6, size=65, seed=3)
  with pytest.raises(ValueError) as caught:
    write_split(str(tmp_path), other)
  assert str(caught.value) == (
    f"output_dir: {path} was drawn with {{'split': 'val', 'num_images': 5, "
    "'size': 65, 'seed': 3}, not with {'split': 'val', 'num_images': 6, "
    "'size': 65, 'seed': 3}; remove it or choose another folder."
  )


def test_a_split_without_json_is_drawn_anew(tmp_path):
  path = write_split(str(tmp_path), PLAN)
  os.remove(path)
  os.remove(tmp_path / "val2017" / "000000000001.jpg")
  write_split(str(tmp_path), PLAN)
  assert len(_files(tmp_path)) == 11


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"split": "dev"}, "split: expected one of ('train', 'val'); got 'dev'."),
    ({"num_images": 0}, "num_images: expected 1 or more; got 0."),
    ({"size": 32}, "size: expected 33..4097 pixels; got 32."),
    ({"seed": -1}, "seed: expected 0 or more; got -1."),
  ],
)
def test_impossible_plans(change, message):
  with pytest.raises(ValueError) as caught:
    ShapesSplit(**{"split": "val", "num_images": 1, **change})
  assert str(caught.value) == message
