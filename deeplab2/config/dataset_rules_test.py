import dataclasses

import pytest

from deeplab2.config.dataset_pb2 import DatasetOptions
from deeplab2.config.dataset_rules import size_problems

CHECKPOINT = "model_options.initial_checkpoint"


@pytest.mark.parametrize("size", [640, 1, 16, -15])
@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_crop_is_a_multiple_of_the_stride_and_one(complaint, split, size):
  path = f"{split}_dataset_options.crop_size"
  assert complaint(f"{path}={size},{size}") == (
    f"{path}: expected 16*k + 1, such as 641; got {size}."
  )


def test_height_and_width_are_told_apart(complaint):
  path = "train_dataset_options.crop_size"
  assert complaint(f"{path}=129,130") == (
    f"{path}: expected 16*k + 1, such as 641; got 130."
  )


def test_a_crop_has_two_sides(complaint):
  path = "train_dataset_options.crop_size"
  assert complaint(f"{path}=129") == (
    f"{path}: expected height and width, such as 641, 641; got [129]."
  )


def test_the_example_follows_the_stride():
  options = DatasetOptions(crop_size=[641, 640])
  assert list(size_problems(options, "data", 32)) == [
    "data.crop_size: expected 32*k + 1, such as 641; got 640."
  ]


@pytest.mark.parametrize(
  ("low", "high"), [("", "9"), ("9", ""), ("9", "9"), ("5,9", "9"), ("9", "0")]
)
def test_bounds_on_the_size_that_agree(load, low, high):
  load(
    f"train_dataset_options.min_resize_value={low}",
    f"train_dataset_options.max_resize_value={high}",
  )


def test_the_lower_bound_is_below_the_upper_one(complaint):
  path = "train_dataset_options"
  assert complaint(
    f"{path}.min_resize_value=3,9", f"{path}.max_resize_value=8"
  ) == (
    f"{path}.min_resize_value: expected at most max_resize_value [8]; got "
    "[3, 9]."
  )


def test_records_that_are_not_there_are_told_with_what_makes_them(
  complaint, data_dir
):
  path = "eval_dataset_options.file_pattern"
  assert complaint(f"{path}={data_dir}/test*") == (
    f"{path}: expected TFRecord files at '{data_dir}/test*'; got none. Make "
    "them with data/build_coco_data.py (g3doc/setup/your_own_dataset.md), or "
    "name others."
  )


def test_an_unknown_dataset_is_told_with_the_choices(complaint):
  text = complaint("eval_dataset_options.dataset=coco")
  assert text.startswith("eval_dataset_options.dataset: expected one of ")
  assert "'coco_panoptic'" in text and text.endswith("got 'coco'.")


def test_a_model_is_scored_on_the_classes_it_learned(
  complaint, tmp_path, small_dataset
):
  other = dataclasses.replace(small_dataset, thing_ids=(1, 2), name="other")
  (tmp_path / "dataset.json").write_text(other.to_json())
  assert complaint(f"eval_dataset_options.dataset={tmp_path}") == (
    "eval_dataset_options.dataset: expected the classes of "
    "train_dataset_options.dataset, 'small'; got others, those of 'other'."
  )


def test_a_checkpoint_is_a_prefix_or_a_folder_of_one(load, tmp_path):
  folder = tmp_path / "lr[0.1]"
  folder.mkdir()
  (folder / "model-7.index").touch()
  load(f"{CHECKPOINT}={folder}/model-7")
  load(f"{CHECKPOINT}={folder}/model-7.index")
  load(f"{CHECKPOINT}={folder}/")
  load(f"{CHECKPOINT}=gs://bucket/model-7")


def test_a_checkpoint_that_is_not_there_is_told(complaint, load, tmp_path):
  overrides = [f"{CHECKPOINT}={tmp_path}/model-7"]
  assert complaint(*overrides) == (
    f"{CHECKPOINT}: expected a checkpoint, a prefix of files, a folder or a "
    f".tar.gz; got '{tmp_path}/model-7', where there is none. An empty one "
    f"starts from random weights: --set {CHECKPOINT}="
  )
  load(*overrides, search_files=["eval"])


def test_a_checkpoint_may_be_an_archive_as_it_was_downloaded(load, tmp_path):
  path = tmp_path / "max_deeplab_s.tar.gz"
  path.touch()
  load(f"{CHECKPOINT}={path}")


def test_classes_are_carried_over_from_a_known_data_set(complaint):
  path = "model_options.carry_over_classes_from"
  text = complaint(f"{path}=coco", f"{CHECKPOINT}=gs://bucket/model-7")
  assert text.startswith(f"{path}: expected one of ")
  assert text.endswith("got 'coco'.")


@pytest.mark.parametrize(
  ("name", "value", "shown"),
  [
    ("carry_over_classes_from", "coco_panoptic", "'coco_panoptic'"),
    ("initial_checkpoint_allow_missing", "head/", "['head/']"),
    ("initial_checkpoint_allow_unused", "a,b", "['a', 'b']"),
  ],
)
def test_what_is_said_of_a_checkpoint_needs_one(
  complaint, load, name, value, shown
):
  path = f"model_options.{name}"
  assert complaint(f"{path}={value}") == (
    f"{path}: expected unset without {CHECKPOINT}; got {shown}."
  )
  load(f"{path}={value}", search_files=["eval"])
  load(f"{path}={value}", f"{CHECKPOINT}=gs://bucket/model-7")


def test_patterns_are_regular_expressions(complaint):
  path = "model_options.initial_checkpoint_allow_missing"
  assert complaint(f"{path}=a(b", f"{CHECKPOINT}=gs://bucket/model-7") == (
    f"{path}: expected each a regular expression, such as "
    "'semantic_decoder/'; got ['a(b']."
  )
