import fcntl
import os
import signal
import socket
import subprocess
import sys

import pytest

from deeplab2.training import run_lock as run_lock_lib
from deeplab2.training.run_lock import run_lock

HOLDER = """
import fcntl, os, signal, sys
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
os.write(handle, b"process 7 on here, since noon,")
print("held", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("kind", ["a file", "a link to nowhere"])
def test_what_is_no_directory_is_told(tmp_path, kind):
  path = tmp_path / "run"
  path.touch() if kind == "a file" else path.symlink_to(tmp_path / "nowhere")
  with pytest.raises(ValueError) as error, run_lock(str(path), "train"):
    pass
  assert str(error.value) == (
    f"model_dir: expected a directory, or the name of one to make; got {path},"
    " which is something else."
  )


def test_the_second_of_a_kind_is_refused_and_told_the_first(tmp_path):
  folder = str(tmp_path / "run")
  with run_lock(folder, "train"):
    with (
      pytest.raises(ValueError, match="expected one run of train") as error,
      run_lock(folder, "train"),
    ):
      pass
    name = f"process {os.getpid()} on {socket.gethostname()}, since 20"
    assert name in str(error.value)
    with run_lock(folder, "eval"):
      pass
  with run_lock(folder, "train"):
    pass


def test_a_lock_ends_with_its_process(tmp_path):
  path = tmp_path / ".train.lock"
  command = [sys.executable, "-c", HOLDER, path]
  with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
    holder.stdout.readline()
    with (
      pytest.raises(ValueError, match="process 7 on here, since noon, is at"),
      run_lock(str(tmp_path), "train"),
    ):
      pass
    os.kill(holder.pid, signal.SIGKILL)
  with run_lock(str(tmp_path), "train"):
    assert f"process {os.getpid()} on" in path.read_text()


def test_without_locks_it_goes_on_with_a_warning(tmp_path, monkeypatch):
  def flock(handle, operation):
    raise OSError(95, "Operation not supported")

  monkeypatch.setattr(fcntl, "flock", flock)
  lines = []
  with run_lock(str(tmp_path), "train", lines.append):
    assert lines[0].startswith(f"warning: {tmp_path} cannot be locked (Operat")


def test_what_is_no_folder_of_this_machine_is_not_locked(monkeypatch):
  with run_lock("gs://bucket/run", "train"):
    pass
  monkeypatch.setattr(run_lock_lib, "fcntl", None)
  with run_lock("nowhere", "train"):
    assert not os.path.exists("nowhere")
