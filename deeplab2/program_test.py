import os
import signal
import subprocess
import sys

import pytest

_PROGRAM = """
import os, signal, sys
from deeplab2 import program

def main(argv):
  try:
    what = argv[1]
    if what.isdecimal():
      os.kill(os.getpid(), int(what))
      signal.pause()
    if what == "full":
      raise OSError(28, "No space left on device", "out/a.png")
    if what == "lean":
      print(type(sys.meta_path[0]).__module__)
    if what == "bug":
      raise KeyError("a bug")
  finally:
    print("cleaned up")

if __name__ == "__main__":
  # A shell's background jobs ignore Ctrl-C, and so may these tests.
  signal.signal(signal.SIGINT, signal.default_int_handler)
  program.run(main, "the same command goes on")
"""


def _run(argument):
  return subprocess.run(
    [sys.executable, "-c", _PROGRAM, argument],
    capture_output=True,
    text=True,
    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
  )


@pytest.mark.parametrize(
  ("argument", "status", "said"),
  [
    ("", 0, ""),
    ("full", 1, "error: [Errno 28] No space left on device: 'out/a.png'\n"),
    (
      str(int(signal.SIGINT)),
      130,
      "\ninterrupted; the same command goes on\n",
    ),
    (
      str(int(signal.SIGTERM)),
      143,
      "\ninterrupted; the same command goes on\n",
    ),
  ],
)
def test_how_a_program_ends(argument, status, said):
  run = _run(argument)
  assert (run.returncode, run.stderr) == (status, said)
  assert run.stdout == "cleaned up\n"


def test_a_bug_shows_where_it_is():
  run = _run("bug")
  assert run.returncode == 1
  assert "Traceback" in run.stderr


def test_keras_is_lean_in_a_program():
  assert _run("lean").stdout == "deeplab2.lean_keras\ncleaned up\n"
