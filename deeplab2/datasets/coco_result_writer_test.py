import json
import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from deeplab2.datasets.coco_result_writer import (
  CocoResultWriter,
  number_segments,
)
from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.panoptic_png import read_segment_ids

DATASET = DatasetDescription(
  name="pets",
  ignore_label=0,
  divisor=1000,
  thing_ids=(1, 3),
  class_names=("void", "cat", "grass", "dog"),
  colors=((0, 0, 0),) * 4,
  category_ids=(None, 17, 193, 18),
)
# A cat, two dogs, grass, void.
PANOPTIC = np.array(
  [
    [0, 1001, 1001, 2000, 2000],
    [3002, 3002, 1001, 2000, 7],
    [3002, 3001, 3001, 2000, 2000],
  ],
  np.int32,
)


def test_segments_are_numbered_with_their_category_area_and_box():
  ids, segments = number_segments(PANOPTIC, DATASET)
  np.testing.assert_array_equal(
    ids, [[0, 1, 1, 2, 2], [4, 4, 1, 2, 0], [4, 3, 3, 2, 2]]
  )
  assert segments == [
    {"id": 1, "category_id": 17, "area": 3, "bbox": [1, 0, 2, 2], "iscrowd": 0},
    {
      "id": 2,
      "category_id": 193,
      "area": 5,
      "bbox": [3, 0, 2, 3],
      "iscrowd": 0,
    },
    {"id": 3, "category_id": 18, "area": 2, "bbox": [1, 2, 2, 1], "iscrowd": 0},
    {"id": 4, "category_id": 18, "area": 3, "bbox": [0, 1, 2, 2], "iscrowd": 0},
  ]


def test_void_outside_of_the_classes_and_a_class_zero_that_counts():
  dataset = DatasetDescription(
    name="streets",
    ignore_label=255,
    divisor=1000,
    thing_ids=(1,),
    class_names=("road", "car"),
    colors=((0, 0, 0),) * 2,
    category_ids=(7, 26),
  )
  panoptic = np.array([[0, 0, 255000, 1000]], np.int32)
  ids, segments = number_segments(panoptic, dataset)
  assert ids.tolist() == [[1, 1, 0, 2]]
  assert [s["category_id"] for s in segments] == [7, 26]


def test_only_void_has_no_segments():
  ids, segments = number_segments(np.zeros((3, 5), np.int32), DATASET)
  assert not ids.any()
  assert segments == []


def test_many_segments_need_more_than_one_byte():
  panoptic = 1000 + np.arange(1, 301, dtype=np.int32).reshape(1, 300)
  ids, _ = number_segments(panoptic, DATASET)
  assert ids.tolist() == [list(range(1, 301))]


def test_files_are_as_coco_lays_them_out(tmp_path):
  writer = CocoResultWriter(str(tmp_path / "out/val.json"), DATASET)
  writer.add("000000000139", PANOPTIC)
  writer.add("garden", np.full((2, 300), 2000, np.int32))
  assert not (tmp_path / "out/val.json").exists()
  path = writer.finish()
  content = json.loads((tmp_path / "out/val.json").read_text())
  assert path == str(tmp_path / "out/val.json")
  assert [a["image_id"] for a in content["annotations"]] == [139, "garden"]
  first = content["annotations"][0]
  assert first["file_name"] == "000000000139.png"
  ids, segments = number_segments(PANOPTIC, DATASET)
  assert first["segments_info"] == segments
  np.testing.assert_array_equal(
    read_segment_ids(str(tmp_path / "out/val/000000000139.png")), ids
  )
  assert sorted(os.listdir(tmp_path / "out")) == ["val", "val.json"]
  assert sorted(os.listdir(tmp_path / "out/val")) == [
    "000000000139.png",
    "garden.png",
  ]


def test_ids_beyond_a_byte_survive_the_png(tmp_path):
  writer = CocoResultWriter(str(tmp_path / "a.json"), DATASET)
  panoptic = 1000 + np.arange(1, 601, dtype=np.int32).reshape(2, 300)
  writer.add("many", panoptic)
  rgb = np.asarray(Image.open(tmp_path / "a/many.png"))
  assert rgb.dtype == np.uint8
  ids = read_segment_ids(str(tmp_path / "a/many.png"))
  np.testing.assert_array_equal(ids, panoptic - 1000)


def test_image_ids_may_be_given(tmp_path):
  writer = CocoResultWriter(str(tmp_path / "a.json"), DATASET, {"007": 42})
  writer.add("007", PANOPTIC)
  content = json.loads(pathlib.Path(writer.finish()).read_text())
  assert content["annotations"][0]["image_id"] == 42


def test_the_json_of_an_earlier_run_goes_first(tmp_path):
  path = str(tmp_path / "a.json")
  CocoResultWriter(path, DATASET).finish()
  assert os.path.exists(path)
  CocoResultWriter(path, DATASET)
  assert not os.path.exists(path)


def test_a_failing_map_leaves_no_file(tmp_path, monkeypatch):
  writer = CocoResultWriter(str(tmp_path / "a.json"), DATASET)

  def fail(self, file, format):
    file.write(b"half")
    raise OSError("disk full")

  monkeypatch.setattr(Image.Image, "save", fail)
  with pytest.raises(OSError, match="disk full"):
    writer.add("x", PANOPTIC)
  assert os.listdir(tmp_path / "a") == []


@pytest.mark.parametrize(
  "call, message",
  [
    (
      lambda w: [w.add("x", PANOPTIC), w.add("x", PANOPTIC)],
      "name: expected each image once; got 'x' twice.",
    ),
    (
      lambda w: w.add("x", np.full((2, 2), 4000)),
      "panoptic: expected classes of 'pets' that have a category; got class 4.",
    ),
    (
      lambda w: CocoResultWriter("results", DATASET),
      "json_path: expected a name ending in .json; got 'results'.",
    ),
  ],
)
def test_misuse_is_named(tmp_path, call, message):
  with pytest.raises(ValueError) as error:
    call(CocoResultWriter(str(tmp_path / "a.json"), DATASET))
  assert str(error.value) == message


def test_names_may_hold_folders_but_not_lead_out_of_theirs(tmp_path):
  writer = CocoResultWriter(str(tmp_path / "out.json"), DATASET)
  writer.add("aachen/000", PANOPTIC)
  assert (tmp_path / "out" / "aachen" / "000.png").is_file()
  for name in ("../000", "/tmp/000", "a/../../000"):
    with pytest.raises(ValueError) as error:
      writer.add(name, PANOPTIC)
    assert str(error.value) == (
      f"name: expected one that stays below {tmp_path / 'out'}; got {name!r}."
    )
