import filecmp
import json
import os

import numpy as np
import pytest
from PIL import Image

from deeplab2.datasets import load_dataset
from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.datasets.coco_annotations import AnnotationError, load_annotated
from deeplab2.datasets.coco_folder import CocoSplit, find_splits, read_split
from deeplab2.datasets.conftest import save_ids
from deeplab2.datasets.conversion import (
  ConversionOptions,
  choose_num_shards,
  convert_splits,
  plan_shards,
)
from deeplab2.datasets.example_wire import read_example
from deeplab2.datasets.records import LABEL_FORMAT, RecordIndex, parse_example

TWO_SHARDS = ConversionOptions(num_shards=2)
SKIP = ConversionOptions(num_shards=2, skip_bad=True)


def _convert(folder, output_dir, options=TWO_SHARDS, splits=None, **arguments):
  found = [
    read_split(folder.root, split, "tiny", 256)
    for split in splits or find_splits(folder.root)
  ]
  return convert_splits(found, str(output_dir), options, **arguments)


def _error_of(*arguments, **named) -> str:
  with pytest.raises(ValueError) as caught:
    _convert(*arguments, **named)
  return str(caught.value)


def _shards(output_dir) -> list[str]:
  return sorted(n for n in os.listdir(output_dir) if n.endswith(".tfrecord"))


def _names(output_dir, split="train") -> list[str]:
  index = RecordIndex.from_patterns(str(output_dir / f"{split}-*.tfrecord"))
  records = [parse_example(index.read(i)) for i in range(len(index))]
  return [record.name.numpy().decode() for record in records]


def _spoil(folder, number=3, split="train"):
  """Paints a strip of the map with an id that the JSON does not list."""
  path = folder.map_path(split, number)
  ids = np.zeros((11, 17), np.int32)
  ids[5] = 77
  save_ids(path, ids)


def _same_files(left, right):
  names = sorted(os.listdir(left))
  assert names == sorted(os.listdir(right))
  same, _, _ = filecmp.cmpfiles(left, right, names, shallow=False)
  assert same == names


def test_records_hold_what_the_folder_holds(tiny_folder, tmp_path):
  reports = _convert(tiny_folder, tmp_path / "out")
  assert _shards(tmp_path / "out") == [
    "train-00000-of-00002.tfrecord",
    "train-00001-of-00002.tfrecord",
    "val-00000-of-00002.tfrecord",
    "val-00001-of-00002.tfrecord",
  ]
  assert reports["train"].num_written == 5
  split = read_split(tiny_folder.root, "train", "tiny", 256)
  index = RecordIndex.from_patterns(str(tmp_path / "out" / "train*"))
  for number, image in enumerate(split.images):
    record = parse_example(index.read(number))
    _, panoptic = load_annotated(image, split.dataset)
    np.testing.assert_array_equal(record.panoptic, panoptic)
    assert record.name.numpy().decode() == image.name


def test_both_forms_of_labels_hold_the_same(tiny_folder, tmp_path):
  maps = {}
  for label_format in ("runs", "raw"):
    options = ConversionOptions(num_shards=1, label_format=label_format)
    _convert(tiny_folder, tmp_path / label_format, options)
    index = RecordIndex.from_patterns(str(tmp_path / label_format / "train*"))
    data = [index.read(number) for number in range(len(index))]
    features = read_example(data[0])
    assert features[LABEL_FORMAT] == label_format.encode()
    maps[label_format] = [parse_example(each).panoptic for each in data]
  np.testing.assert_array_equal(maps["runs"], maps["raw"])


def test_the_description_lies_beside_the_records(tiny_folder, tmp_path):
  _convert(tiny_folder, tmp_path / "out")
  dataset = load_dataset(str(tmp_path / "out" / "dataset.json"))
  assert dataset.name == "tiny"
  assert dataset.class_names == ("void", "cat", "dog", "lawn")
  assert dataset.split_sizes == {"train": 5, "val": 3}


def test_splits_may_be_converted_one_after_the_other(tiny_folder, tmp_path):
  _convert(tiny_folder, tmp_path / "both")
  _convert(tiny_folder, tmp_path / "out", splits=["train"])
  _convert(tiny_folder, tmp_path / "out", splits=["val"])
  _same_files(tmp_path / "both", tmp_path / "out")


def test_the_number_of_processes_changes_no_byte(tiny_folder, tmp_path):
  _convert(tiny_folder, tmp_path / "one")
  _convert(tiny_folder, tmp_path / "two", num_processes=2)
  _same_files(tmp_path / "one", tmp_path / "two")


def test_a_killed_run_is_taken_up(tiny_folder, tmp_path):
  out = tmp_path / "out"
  _convert(tiny_folder, tmp_path / "whole")
  _convert(tiny_folder, out)
  # What a kill leaves: a shard cut under its temporary name, no description.
  os.truncate(out / "train-00001-of-00002.tfrecord", 50)
  os.rename(
    out / "train-00001-of-00002.tfrecord",
    out / ".train-00001-of-00002.tfrecord.part",
  )
  os.remove(out / "dataset.json")
  kept = os.stat(out / "train-00000-of-00002.tfrecord").st_mtime_ns
  seen = []
  _convert(tiny_folder, out, progress=lambda *news: seen.append(news))
  assert os.stat(out / "train-00000-of-00002.tfrecord").st_mtime_ns == kept
  assert seen == [("train", 3, 5), ("train", 5, 5), ("val", 3, 3)]
  _same_files(tmp_path / "whole", out)


def test_other_settings_do_not_mix(tiny_folder, tmp_path):
  out = tmp_path / "out"
  _convert(tiny_folder, out)
  other = ConversionOptions(
    num_shards=3, crowd_as_void=False, label_format="raw"
  )
  assert _error_of(tiny_folder, out, other) == (
    f"output_dir: {out} holds train records of another make (num_shards was 2, "
    "is 3; treat_crowd_as_ignore was True, is False; label_format was runs, is "
    "raw); choose another folder or remove the records."
  )


def test_other_annotations_do_not_mix(tiny_folder, tmp_path):
  _convert(tiny_folder, tmp_path / "out")
  tiny_folder.edit_annotation("train", 0, lambda a: a.update(note=1))
  message = _error_of(tiny_folder, tmp_path / "out")
  assert "train records of another make (annotations_sha256 was " in message


def test_records_of_another_program_are_left_alone(tiny_folder, tmp_path):
  (tmp_path / "val-00000-of-01000.tfrecord").write_bytes(b"")
  assert _error_of(tiny_folder, tmp_path) == (
    f"output_dir: {tmp_path} holds val records that this program did not "
    "begin; choose another folder."
  )


def test_splits_of_other_classes_do_not_mix(tiny_folder, tmp_path):
  tiny_folder.edit("val", lambda c: c["categories"][1].update(name="lion"))
  assert _error_of(tiny_folder, tmp_path / "out") == (
    "categories: expected the same name, divisor and classes in all splits; "
    "those of val are not those of train."
  )


def test_a_bad_image_stops_the_run(tiny_folder, tmp_path):
  _spoil(tiny_folder)
  out = tmp_path / "out"
  message = _error_of(tiny_folder, out)
  assert message.startswith("000000000003:\n  segment ")
  assert "77: the map has 17 pixels of it; the JSON does not list" in message
  assert "train-00001-of-00002.tfrecord" not in os.listdir(out)


def test_a_bad_image_can_be_left_out(tiny_folder, tmp_path):
  _spoil(tiny_folder)
  out = tmp_path / "out"
  report = _convert(tiny_folder, out, SKIP)["train"]
  assert report.num_written == 4
  assert list(report.skipped) == ["000000000003"]
  assert _names(out) == [f"{i:012d}" for i in (0, 1, 2, 4)]
  skipped = json.loads((out / "skipped.json").read_text())
  assert skipped == {"train": report.skipped}
  assert load_dataset(str(out)).split_sizes["train"] == 4
  again = _convert(tiny_folder, out, SKIP)["train"]
  assert again == report


def test_what_was_left_out_is_not_forgotten(tiny_folder, tmp_path):
  _spoil(tiny_folder)
  out = tmp_path / "out"
  _convert(tiny_folder, out, SKIP)
  assert _error_of(tiny_folder, out) == (
    "on_error: an earlier run with skip left 1 images of train out, such as "
    "'000000000003'; mend them and remove the shards of which "
    "there is a list skipped-*.json, or run with skip again."
  )


def test_a_mended_image_comes_in_again(tiny_folder, tmp_path):
  with open(tiny_folder.map_path("train", 3), "rb") as file:
    right = file.read()
  _convert(tiny_folder, tmp_path / "whole")
  _spoil(tiny_folder)
  out = tmp_path / "out"
  _convert(tiny_folder, out, SKIP)
  with open(tiny_folder.map_path("train", 3), "wb") as file:
    file.write(right)
  os.remove(out / "train-00001-of-00002.tfrecord")
  _convert(tiny_folder, out)
  _same_files(tmp_path / "whole", out)


def test_a_stopped_run_may_go_on_with_skip(tiny_folder, tmp_path):
  _spoil(tiny_folder)
  with pytest.raises(AnnotationError):
    _convert(tiny_folder, tmp_path / "out")
  assert _convert(tiny_folder, tmp_path / "out", SKIP)["train"].skipped


def test_problems_of_the_json_stop_before_any_work(tiny_folder, tmp_path):
  tiny_folder.edit("val", lambda content: content["annotations"].pop(1))
  assert _error_of(tiny_folder, tmp_path / "out") == (
    "annotations: 1 bad images in the JSON:\n  000000000001: annotations: "
    "expected one for image id 101; got 0."
  )
  assert not os.path.exists(tmp_path / "out")
  report = _convert(tiny_folder, tmp_path / "out", SKIP)["val"]
  assert list(report.skipped) == ["000000000001"]


def test_a_test_split_has_no_labels(tiny_folder, tmp_path):
  os.makedirs(tiny_folder.path("test2017"))
  Image.new("RGB", (5, 3)).save(tiny_folder.path("test2017", "a.png"))
  _convert(tiny_folder, tmp_path / "out", splits=["test"])
  assert not os.path.exists(tmp_path / "out" / "dataset.json")
  index = RecordIndex.from_patterns(str(tmp_path / "out" / "test*"))
  record = parse_example(index.read(0), labelled=False)
  assert record.image.shape == (3, 5, 3)


@pytest.mark.parametrize(
  ("num_images", "dataset", "expected"),
  [
    (118287, COCO_PANOPTIC, 1000),
    (40670, None, 1000),
    (2, COCO_PANOPTIC, 1),
    (2000, load_dataset("shapes_panoptic"), 20),
    (150_000, load_dataset("shapes_panoptic"), 1000),
  ],
)
def test_default_number_of_shards(num_images, dataset, expected):
  split = CocoSplit("train", (None,) * num_images, dataset, "", 0)
  assert choose_num_shards(split) == expected
  assert choose_num_shards(split, 7) == 7


@pytest.mark.parametrize(("num_images", "num_shards"), [(7, 3), (2, 5), (8, 4)])
def test_shards_partition_the_images_in_order(num_images, num_shards):
  split = CocoSplit("val", tuple(range(num_images)), None, "", 0)
  jobs = plan_shards(split, "out", num_shards)
  assert [i for job in jobs for i in job.images] == list(range(num_images))
  last = f"val-{num_shards - 1:05d}-of-{num_shards:05d}.tfrecord"
  assert jobs[-1].path == os.path.join("out", last)
