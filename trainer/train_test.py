import os
import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).parents[1]


def train(*arguments):
  path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
  return subprocess.run(
    [sys.executable, "-X", "importtime", "trainer/train.py", *arguments],
    cwd=REPOSITORY,
    env=os.environ | {"PYTHONPATH": path},
    capture_output=True,
    text=True,
    check=False,
  )


def test_help_does_not_wait_for_tensorflow():
  shown = train("--help")
  for flag in ("config_file", "mode", "model_dir", "num_gpus", "master", "set"):
    assert f"--{flag}" in shown.stdout.replace("--[no]", "--")
  assert "tensorflow" not in shown.stderr


def test_a_wrong_config_ends_with_one_line_and_without_tensorflow():
  done = train("--config_file=no_such_config")
  assert done.returncode == 1
  assert "no_such_config" in done.stderr
  assert "Traceback" not in done.stderr
  assert "| tensorflow" not in done.stderr


def test_a_forgotten_config_is_named():
  done = train()
  assert done.returncode != 0
  assert "config_file" in done.stderr + done.stdout
