import os
import signal
import subprocess
import sys
import time

import pytest

from deeplab2.datasets import load_dataset
from deeplab2.datasets.record_index import RecordIndex
from deeplab2.datasets.shapes.folder import ShapesSplit, write_split

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMMAND = [sys.executable, os.path.join(ROOT, "data", "build_coco_data.py")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": ROOT}


def _run(*flags):
  return subprocess.run(
    [*COMMAND, *flags],
    capture_output=True,
    text=True,
    check=False,
    env=ENVIRONMENT,
  )


@pytest.fixture(scope="module")
def shapes(tmp_path_factory) -> str:
  root = str(tmp_path_factory.mktemp("shapes"))
  for split, count in (("train", 40), ("val", 3)):
    write_split(root, ShapesSplit(split=split, num_images=count, size=65))
  return root


def _contents(folder) -> dict[str, bytes]:
  return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_converts_all_splits_and_describes_them(shapes, tmp_path):
  run = _run(f"--coco_root={shapes}", f"--output_dir={tmp_path}")
  assert run.returncode == 0, run.stderr
  assert run.stdout.splitlines() == [
    "train: 40 images in 1 shards, 0 skipped",
    "val: 3 images in 1 shards, 0 skipped",
  ]
  dataset = load_dataset(str(tmp_path))
  assert dataset.split_sizes == {"train": 40, "val": 3}
  index = RecordIndex.from_patterns(str(tmp_path / "train*"))
  assert len(index) == 40


def test_the_originals_layout_is_a_flag(shapes, tmp_path):
  sizes = {}
  for label_format in ("raw", "runs"):
    folder = tmp_path / label_format
    run = _run(
      f"--coco_root={shapes}",
      f"--output_dir={folder}",
      f"--label_format={label_format}",
    )
    assert run.returncode == 0, run.stderr
    records = RecordIndex.from_patterns(str(folder / "val*"))
    sizes[label_format] = int(records.lengths.sum())
  # Three maps of 65 x 65 pixels or less become next to nothing.
  assert sizes["raw"] - sizes["runs"] > 3 * 0.8 * 4 * 65 * 65


@pytest.mark.parametrize(
  ("num_processes", "kill"), [(1, signal.SIGINT), (2, signal.SIGKILL)]
)
def test_a_killed_conversion_ends_as_an_undisturbed_one(
  shapes, tmp_path, num_processes, kill
):
  whole, killed = tmp_path / "whole", tmp_path / "killed"
  flags = [
    f"--coco_root={shapes}",
    "--num_shards=20",
    f"--num_processes={num_processes}",
  ]
  assert _run(*flags, f"--output_dir={whole}").returncode == 0
  command = [*COMMAND, *flags, f"--output_dir={killed}"]
  with subprocess.Popen(command, env=ENVIRONMENT) as process:
    deadline = time.monotonic() + 60
    while not list(killed.glob("*.tfrecord")) and time.monotonic() < deadline:
      time.sleep(0.001)
    process.send_signal(kill)
  for shard in killed.glob("*.tfrecord"):
    assert shard.read_bytes() == (whole / shard.name).read_bytes()
  assert _run(*flags, f"--output_dir={killed}").returncode == 0
  assert _contents(killed) == _contents(whole)


@pytest.mark.parametrize(
  ("flags", "error"),
  [
    ([], "--coco_root must have a value other than None."),
    (["--splits=dev"], "error: splits: expected some of ('train', 'val', 'tes"),
    (["--splits=test"], "error: coco_root: expected folders of images such as"),
    (["--on_error=ignore"], "value should be one of <fail|skip>"),
    (["--label_divisor=3"], "instances, one less than the label divisor; got"),
    (["--label_format=gif"], "value should be one of <runs|raw>"),
    (["--num_shards=-1"], "an integer in the range [0, 99999]"),
    (["--output_dir=/dev/null"], "error: "),
    (["stray"], "expected flags only; got ['stray']."),
  ],
)
def test_wrong_flags_end_with_a_sentence(shapes, tmp_path, flags, error):
  places = (
    [f"--coco_root={shapes}", f"--output_dir={tmp_path}"] if flags else []
  )
  run = _run(*places, *flags, "--num_processes=1")
  assert run.returncode != 0
  assert error in run.stderr + run.stdout
  assert "Traceback" not in run.stderr


def test_neither_help_nor_conversion_loads_tensorflow(shapes, tmp_path):
  flags = [f"--coco_root={shapes}", f"--output_dir={tmp_path}"]
  for arguments in (["--help"], [*flags, "--num_processes=1"]):
    command = [COMMAND[0], "-X", "importtime", *COMMAND[1:], *arguments]
    run = subprocess.run(
      command, capture_output=True, text=True, check=False, env=ENVIRONMENT
    )
    assert "absl" in run.stderr
    assert "tensorflow" not in run.stderr
