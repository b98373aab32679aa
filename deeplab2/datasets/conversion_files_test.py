import os

import pytest

from deeplab2.datasets.conversion_files import (
  SplitSettings,
  claim_folder,
  read_json,
  write_description,
  write_json,
  write_skipped,
)
from deeplab2.datasets.shapes import SHAPES_PANOPTIC

SETTINGS = SplitSettings(
  num_images=7,
  num_shards=2,
  treat_crowd_as_ignore=True,
  label_divisor=256,
  label_format="runs",
  annotations_sha256="abc",
)


def test_a_claim_can_be_renewed_and_extended(tmp_path):
  claim_folder(str(tmp_path), {"train": SETTINGS})
  claim_folder(str(tmp_path), {"train": SETTINGS, "val": SETTINGS})
  assert set(read_json(tmp_path / "conversion.json")) == {"train", "val"}


def test_a_refused_claim_changes_nothing(tmp_path):
  claim_folder(str(tmp_path), {"train": SETTINGS})
  before = (tmp_path / "conversion.json").read_bytes()
  (tmp_path / "val-00000-of-00001.tfrecord").write_bytes(b"")
  with pytest.raises(ValueError, match="did not begin"):
    claim_folder(str(tmp_path), {"train": SETTINGS, "val": SETTINGS})
  assert (tmp_path / "conversion.json").read_bytes() == before


def test_sizes_of_other_splits_stay(tmp_path):
  write_description(str(tmp_path), SHAPES_PANOPTIC, {"train": 5})
  write_description(str(tmp_path), SHAPES_PANOPTIC, {"val": 2})
  sizes = read_json(tmp_path / "dataset.json")["split_sizes"]
  assert sizes == {"train": 5, "val": 2}


def test_skipped_lists_of_other_splits_stay_until_empty(tmp_path):
  path = tmp_path / "skipped.json"
  write_skipped(str(tmp_path), {"train": {"a": "bad"}})
  write_skipped(str(tmp_path), {"val": {}})
  assert read_json(path) == {"train": {"a": "bad"}}
  write_skipped(str(tmp_path), {"train": {}})
  assert not path.exists()


def test_a_failed_write_leaves_the_old_file(tmp_path):
  path = str(tmp_path / "a.json")
  write_json(path, {"a": 1})
  with pytest.raises(TypeError):
    write_json(path, {"a": object()})
  assert read_json(path) == {"a": 1}
  assert os.listdir(tmp_path) == ["a.json"]
