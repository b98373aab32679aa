import os
import subprocess
import sys

PROGRAM = os.path.join(os.path.dirname(__file__), "build_shapes_data.py")


def _run(*flags):
  return subprocess.run(
    [sys.executable, PROGRAM, *flags],
    capture_output=True,
    text=True,
    check=False,
    cwd=os.path.dirname(os.path.dirname(PROGRAM)),
    env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(PROGRAM))},
  )


def test_draws_both_splits(tmp_path):
  flags = [f"--output_dir={tmp_path}", "--num_train=3", "--num_val=2"]
  run = _run(*flags, "--size=65", "--num_processes=1")
  assert run.returncode == 0, run.stderr
  assert run.stdout.splitlines() == [
    f"train: 3 images, {tmp_path}/annotations/panoptic_train2017.json",
    f"val: 2 images, {tmp_path}/annotations/panoptic_val2017.json",
  ]
  assert sorted(os.listdir(tmp_path)) == ["annotations", "train2017", "val2017"]
  other = _run(*flags, "--size=67", "--num_processes=1")
  assert other.returncode == 1
  assert other.stderr.startswith("error: output_dir: ")
  assert "Traceback" not in other.stderr


def test_flags_are_checked():
  for flags in (
    [],
    ["--output_dir=x", "--num_train=0"],
    ["--output_dir=x", "y"],
  ):
    run = _run(*flags)
    assert run.returncode != 0
    assert "Traceback" not in run.stderr
