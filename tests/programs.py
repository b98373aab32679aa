"""The programs, run as a user runs them."""

import os
import subprocess
import sys

from source_tree import ROOT


def run_program(program, *arguments, timeout: float = 120):
  """Runs a program of this checkout; the finished process with its output.

  Args:
    program: path below the root, such as "trainer/train.py".
    *arguments: as on the command line.
    timeout: seconds.
  """
  path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
  return subprocess.run(
    [sys.executable, ROOT / program, *map(str, arguments)],
    capture_output=True,
    text=True,
    env={**os.environ, "PYTHONPATH": path},
    timeout=timeout,
  )
