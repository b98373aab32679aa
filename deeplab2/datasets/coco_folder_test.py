import json
import os

import pytest
from PIL import Image

from deeplab2.datasets.coco_folder import find_splits, read_split


def _problems(folder, split="train"):
  images = read_split(folder.root, split, "tiny", 256).images
  return {image.name: image.problems for image in images if image.problems}


def _error_of(function, *arguments) -> str:
  with pytest.raises(ValueError) as caught:
    function(*arguments)
  return str(caught.value)


def test_reads_images_in_order_with_their_segments(tiny_folder):
  split = read_split(tiny_folder.root, "train", "tiny", 256)
  assert [image.name for image in split.images] == [
    f"{i:012d}" for i in range(5)
  ]
  image = split.images[3]
  assert image.image_path == tiny_folder.image_path("train", 3)
  assert image.map_path == tiny_folder.map_path("train", 3)
  assert [s["category_id"] for s in image.segments] == [2, 2, 2, 5, 5, 9]
  assert image.stated_size == (11, 17)
  assert image.problems == ()
  assert split.dataset.class_names == ("void", "cat", "dog", "lawn")
  assert split.unlisted == 0


def test_splits_that_are_there_are_found_in_order(tiny_folder):
  assert find_splits(tiny_folder.root) == ["train", "val"]
  assert find_splits(tiny_folder.root, ["val"]) == ["val"]


def test_the_year_may_be_left_out(tiny_folder):
  root = tiny_folder.path()
  os.rename(tiny_folder.path("val2017"), tiny_folder.path("val"))
  json_path = tiny_folder.json_path("val")
  os.rename(json_path, json_path.replace("2017", ""))
  maps = os.path.splitext(json_path)[0]
  os.rename(maps, maps.replace("2017", ""))
  split = read_split(root, "val", "tiny", 256)
  assert find_splits(root) == ["train", "val"]
  assert os.path.exists(split.images[0].image_path)
  assert os.path.exists(split.images[0].map_path)


def test_missing_and_unknown_splits(tiny_folder):
  root = tiny_folder.root
  assert _error_of(find_splits, root, ["test"]) == (
    "coco_root: expected folders of images such as train2017 or val2017 in "
    f"{root!r}; found none for ['test']."
  )
  assert _error_of(find_splits, root, ["dev"]) == (
    "splits: expected some of ('train', 'val', 'test'); got ['dev']."
  )
  assert _error_of(find_splits, "/no/folder") == (
    "coco_root: expected a folder; got '/no/folder'."
  )
  os.remove(tiny_folder.json_path("val"))
  assert _error_of(read_split, root, "val", "tiny", 256) == (
    "coco_root: expected annotations/panoptic_val2017.json beside the images "
    f"of 'val'; there is none in {root!r}."
  )


def test_a_test_split_lists_the_images_of_its_folder(tiny_folder):
  os.makedirs(tiny_folder.path("test2017"))
  for name in ("b.jpg", "a.png", "notes.txt"):
    Image.new("RGB", (3, 2)).save(tiny_folder.path("test2017", name), "png")
  split = read_split(tiny_folder.root, "test", "tiny", 256)
  assert [image.name for image in split.images] == ["a", "b"]
  assert split.dataset is None
  assert split.images[0].map_path is None


def test_an_image_info_json_says_which_images_a_test_split_has(tiny_folder):
  os.makedirs(tiny_folder.path("test2017"))
  for name in ("a.jpg", "b.jpg"):
    Image.new("RGB", (3, 2)).save(tiny_folder.path("test2017", name))
  info = {"images": [{"file_name": "b.jpg", "height": 2, "width": 3, "id": 7}]}
  path = tiny_folder.path("annotations", "image_info_test2017.json")
  with open(path, "w") as file:
    json.dump(info, file)
  split = read_split(tiny_folder.root, "test", "tiny", 256)
  assert [image.name for image in split.images] == ["b"]
  assert split.images[0].stated_size == (2, 3)
  assert split.unlisted == 1


def test_a_change_of_the_json_changes_the_hash(tiny_folder):
  before = read_split(tiny_folder.root, "train", "tiny", 256).source_hash
  tiny_folder.edit_annotation("train", 0, lambda a: a.update(note=1))
  after = read_split(tiny_folder.root, "train", "tiny", 256).source_hash
  assert before != after


def test_images_that_the_json_does_not_name_are_counted(tiny_folder):
  Image.new("RGB", (3, 2)).save(tiny_folder.path("train2017", "extra.jpg"))
  assert read_split(tiny_folder.root, "train", "tiny", 256).unlisted == 1


def test_an_instance_json_is_told_from_a_panoptic_one(tiny_folder):
  def turn_into_instances(content):
    content["annotations"] = [{"id": 1, "image_id": 100, "bbox": []}]

  tiny_folder.edit("train", turn_into_instances)
  path = tiny_folder.json_path("train")
  assert _error_of(read_split, tiny_folder.root, "train", "tiny", 256) == (
    f"{path}: expected panoptic annotations, each with segments_info and the "
    "file_name of a PNG; got fields ['bbox', 'id', 'image_id']."
  )


@pytest.mark.parametrize("field", ["images", "annotations", "categories"])
def test_a_json_without_its_lists_is_named(tiny_folder, field):
  tiny_folder.edit("train", lambda content: content.pop(field))
  path = tiny_folder.json_path("train")
  assert _error_of(read_split, tiny_folder.root, "train", "tiny", 256) == (
    f"{path}: {field}: expected a list of objects."
  )


def test_wrong_categories_and_broken_json_name_the_file(tiny_folder):
  path = tiny_folder.json_path("train")
  tiny_folder.edit("train", lambda c: c["categories"][0].pop("isthing"))
  assert _error_of(read_split, tiny_folder.root, "train", "tiny", 256) == (
    f"{path}: categories[0] (id 9, name 'lawn'): isthing: expected 1 "
    "(countable, such as a car) or 0 (stuff, such as sky); got None."
  )
  with open(path, "w") as file:
    file.write("{")
  message = _error_of(read_split, tiny_folder.root, "train", "tiny", 256)
  assert message.startswith(f"{path}: not JSON: ")


def test_an_image_without_annotation(tiny_folder):
  tiny_folder.edit("train", lambda content: content["annotations"].pop(2))
  problem = "annotations: expected one for image id 102; got 0."
  assert _problems(tiny_folder) == {"000000000002": (problem,)}


def test_two_annotations_of_an_image(tiny_folder):
  def repeat(content):
    content["annotations"].append(content["annotations"][1])

  tiny_folder.edit("train", repeat)
  problem = "annotations: expected one for image id 101; got 2."
  assert _problems(tiny_folder) == {"000000000001": (problem,)}


def test_an_annotation_of_no_image(tiny_folder):
  tiny_folder.edit("train", lambda content: content["images"].pop(4))
  problem = "annotation: image id 104 is not among the images."
  assert _problems(tiny_folder) == {"000000000004": (problem,)}


def test_two_images_of_one_id(tiny_folder):
  tiny_folder.edit("train", lambda c: c["images"][3].update(id=102))
  images = read_split(tiny_folder.root, "train", "tiny", 256).images
  problem = "images: its id is listed more than once."
  bad = [image.name for image in images if problem in image.problems]
  assert bad == ["000000000002", "000000000003"]


def test_two_images_of_one_name(tiny_folder):
  tiny_folder.edit(
    "train", lambda c: c["images"][3].update(file_name="000000000002.jpg")
  )
  problem = "images: '000000000002' is listed more than once."
  assert _problems(tiny_folder) == {"000000000002": (problem,)}


@pytest.mark.parametrize(
  ("field", "problem"),
  [
    ("file_name", "annotation: expected a file_name; got None."),
    ("segments_info", "annotation: expected segments_info; got None."),
  ],
)
def test_an_annotation_that_lacks_a_field(tiny_folder, field, problem):
  tiny_folder.edit_annotation("train", 1, lambda a: a.pop(field))
  assert _problems(tiny_folder) == {"000000000001": (problem,)}
