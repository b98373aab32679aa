import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

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


_MAPS = pathlib.Path("/proc/self/maps")


@pytest.mark.skipif(not _MAPS.exists(), reason="no /proc to look at")
def test_ctrl_c_while_tensorflow_is_imported_is_one_line(tmp_path):
  (tmp_path / "a.tfrecord").touch()
  files = ("TRAIN_SET", "VAL_SET")
  settings = [f"--set={name}={tmp_path}/a.tfrecord" for name in files]
  session = subprocess.Popen(
    [
      *(sys.executable, "trainer/train.py", "--config_file=max_deeplab_s"),
      *(f"--model_dir={tmp_path}", "--set=INIT_CHECKPOINT=", *settings),
    ],
    cwd=REPOSITORY,
    env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    stderr=subprocess.PIPE,
    text=True,
    # The shell that runs the tests may ignore Ctrl-C.
    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
  )
  maps = pathlib.Path(f"/proc/{session.pid}/maps")
  while session.poll() is None and "tensorflow" not in maps.read_text():
    time.sleep(0.02)
  session.send_signal(signal.SIGINT)
  _, said = session.communicate(timeout=60)
  assert session.returncode == 128 + signal.SIGINT
  assert said == "\ninterrupted; the same command starts again, or goes on\n"
