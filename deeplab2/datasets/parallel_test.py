import os
import signal
import subprocess
import sys
import time

import pytest

from deeplab2.datasets.parallel import map_in_processes, usable_cores


@pytest.mark.parametrize("num_processes", [1, 2])
def test_results_keep_the_order_of_the_items(num_processes):
  items = ["a", "bbb", "cc"] * 5
  found = list(map_in_processes(len, items, num_processes, chunk=2))
  assert found == [1, 3, 2] * 5


@pytest.mark.parametrize("num_processes", [1, 2])
def test_an_error_reaches_the_caller(num_processes):
  with pytest.raises(ValueError, match="invalid literal for int"):
    list(map_in_processes(int, ["1", "one", "2"], num_processes))


def test_one_process_is_this_one():
  assert list(map_in_processes(_process_id, [0])) == [os.getpid()]


def test_there_is_a_core():
  assert 1 <= usable_cores() <= os.cpu_count()


def _process_id(_):
  return os.getpid()


# A shell's background jobs ignore Ctrl-C, and so may these tests.
_SCRIPT = """
import os, signal, time
from deeplab2.datasets.parallel import map_in_processes

def work(item):
  if item:
    time.sleep(600)
  return os.getpid()

if __name__ == "__main__":
  signal.signal(signal.SIGINT, signal.default_int_handler)
  for process_id in map_in_processes(work, range(9), num_processes=2):
    print(process_id, flush=True)
"""


def _is_running(process_id: int) -> bool:
  try:
    with open(f"/proc/{process_id}/stat") as file:
      return file.read().split()[2] != "Z"
  except FileNotFoundError:
    return False


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_when_their_parent_is_killed(tmp_path, number):
  script = tmp_path / "script.py"
  script.write_text(_SCRIPT)
  environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
  with subprocess.Popen(
    [sys.executable, str(script)], stdout=subprocess.PIPE, env=environment
  ) as parent:
    worker = int(parent.stdout.readline())
    assert _is_running(worker)
    parent.send_signal(number)
  deadline = time.monotonic() + 30
  while _is_running(worker) and time.monotonic() < deadline:
    time.sleep(0.01)
  assert not _is_running(worker)


def _end(_):
  os._exit(9)


def test_a_killed_worker_is_no_mystery():
  with pytest.raises(ChildProcessError) as error:
    list(map_in_processes(_end, range(3), num_processes=2))
  assert str(error.value) == (
    "one of 2 processes was killed, perhaps for want of memory; fewer "
    "processes need less."
  )
