import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from deeplab2.datasets.coco_folder import read_split
from deeplab2.datasets.conversion import ConversionOptions, convert_splits
from deeplab2.datasets.shapes.folder import ShapesSplit, write_split

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _run(*flags):
  program = os.path.join(ROOT, "data", "inspect_tfrecords.py")
  return subprocess.run(
    [sys.executable, program, "--num_processes=1", *flags],
    capture_output=True,
    text=True,
    check=False,
    env={**os.environ, "PYTHONPATH": ROOT, "TF_CPP_MIN_LOG_LEVEL": "3"},
  )


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> str:
  folder = tmp_path_factory.mktemp("records")
  root = str(folder / "shapes")
  write_split(root, ShapesSplit(split="train", num_images=7, size=65))
  split = read_split(root, "train", "shapes", 256)
  convert_splits([split], str(folder / "out"), ConversionOptions(num_shards=2))
  return str(folder / "out")


def _source(records) -> list[str]:
  return [
    f"--file_pattern={records}/train*.tfrecord",
    f"--dataset={records}/dataset.json",
  ]


def test_statistics_and_a_sheet_of_what_is_stored(records, tmp_path):
  sheet = tmp_path / "sheet.png"
  run = _run(*_source(records), f"--sheet={sheet}", "--num_samples=2")
  assert run.returncode == 0, run.stderr
  assert run.stdout.startswith("records   7 (7 labelled, 0 bad)")
  with Image.open(sheet) as picture:
    assert picture.height > 2 * 240


def test_a_config_adds_what_training_sees(records, tmp_path):
  sheet = tmp_path / "sheet.png"
  run = _run(
    "--config_file=max_deeplab_tiny",
    f"--set=DATA_DIR={records}",
    "--set=EXPERIMENT_NAME=inspection",
    "--set=eval_dataset_options.file_pattern=" + records + "/train*",
    f"--sheet={sheet}",
    "--num_samples=2",
  )
  assert run.returncode == 0, run.stderr
  with Image.open(sheet) as picture:
    assert picture.width > 4 * 240


def test_bad_records_are_named_and_end_with_status_one(records, tmp_path):
  with open(f"{records}/train-00000-of-00002.tfrecord", "rb") as file:
    data = bytearray(file.read())
  data[500] ^= 1
  path = tmp_path / "bad.tfrecord"
  path.write_bytes(data)
  run = _run(
    f"--file_pattern={path}",
    f"--dataset={records}",
    f"--sheet={tmp_path}/sheet.png",
  )
  assert run.returncode == 1
  assert f"{path}, record 0:\n  the checksum does not agree." in run.stdout
  assert "No sheet" in run.stdout
  assert not (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize(
  ("flags", "error"),
  [
    ([], "error: expected either --config_file, or both --file_pattern and"),
    (["--file_pattern=x"], "error: expected either --config_file, or both"),
    (["--file_pattern=/no*", "--dataset=coco_panoptic"], "nothing matches"),
    (["--file_pattern=/no*", "--dataset=coco"], "error: dataset: expected one"),
    (["--sheet=a.jpg"], "error: sheet: expected a .png file in a folder that"),
    (["--sheet=/no/a.png"], "error: sheet: expected a .png file in a folder"),
    (["--config_file=no_such"], "error: config_file: expected a file"),
  ],
)
def test_wrong_flags_end_with_a_sentence(flags, error):
  run = _run(*flags)
  assert run.returncode != 0
  assert error in run.stderr
  assert "Traceback" not in run.stderr


def test_a_check_says_what_is_wrong_of_both_sets(records, tmp_path):
  good = f"{records}/train-00000-of-00002.tfrecord"
  with open(good, "rb") as file:
    data = bytearray(file.read())
  data[500] ^= 1
  bad = tmp_path / "bad.tfrecord"
  bad.write_bytes(data[:-1])
  report = tmp_path / "report.json"
  run = _run(
    "--check",
    "--config_file=max_deeplab_tiny",
    f"--set=DATA_DIR={records}",
    f"--set=eval_dataset_options.file_pattern={bad}",
    "--set=train_dataset_options.max_thing_id=1",
    f"--report_json={report}",
  )
  assert run.returncode == 1
  lines = run.stdout.splitlines()
  assert lines[0] == "train: 7 records, 0 bad"
  assert "images hold more things than max_thing_id, 1: no error" in lines[1]
  assert lines[2] == "eval: 4 records, 2 bad"
  assert lines[3:5] == [
    f"{bad}, record 0:",
    "  the checksum does not agree.",
  ]
  assert lines[5] == f"{bad}, record 3:"
  assert lines[6].startswith("  cut short: the record at byte ")
  found = json.loads(report.read_text())
  assert found["train"]["bad"] == []
  assert found["eval"]["bad"][0] == {
    "file": str(bad),
    "record": 0,
    "name": "",
    "problems": ["the checksum does not agree."],
  }


def test_a_check_of_good_records_ends_with_status_zero(records):
  run = _run("--check", *_source(records))
  assert (run.returncode, run.stdout) == (0, "7 records, 0 bad\n")
