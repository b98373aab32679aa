"""Help and imports are instant: what loads slowly waits until it is needed."""

import os
import re
import resource
import subprocess
import sys

import pytest
from source_tree import PROGRAM_FOLDERS, ROOT, modules, short

SLOW = ("keras", "matplotlib", "numpy", "PIL", "scipy", "tensorflow")
SECONDS = 0.5
PROGRAMS = [
  program
  for program in modules(*PROGRAM_FOLDERS)
  if re.search(r"\b(app|program)\.run\(main", program.read_text("utf-8"))
]


def start(*arguments):
  """A fresh Python: its run, the modules it imported, its processor time."""
  before = resource.getrusage(resource.RUSAGE_CHILDREN)
  run = subprocess.run(
    [sys.executable, "-X", "importtime", *map(str, arguments)],
    capture_output=True,
    text=True,
    check=False,
    env={**os.environ, "PYTHONPATH": str(ROOT)},
  )
  after = resource.getrusage(resource.RUSAGE_CHILDREN)
  lines = (line.split("|") for line in run.stderr.splitlines())
  names = {parts[2].strip() for parts in lines if len(parts) == 3}
  return run, names, after.ru_utime - before.ru_utime


def slow_ones(names):
  return sorted({name.partition(".")[0] for name in names} & set(SLOW))


def test_there_are_programs_in_each_folder():
  assert {program.parent.name for program in PROGRAMS} == set(PROGRAM_FOLDERS)


@pytest.mark.parametrize("program", PROGRAMS, ids=short)
def test_help_is_instant(program):
  run, names, seconds = start(program, "--help")
  assert program.stem in run.stdout
  assert slow_ones(names) == []
  assert seconds < SECONDS


@pytest.mark.parametrize("name", ["deeplab2", "deeplab2.config"])
def test_import_is_instant(name):
  run, names, seconds = start("-c", f"import {name}")
  assert run.returncode == 0
  assert slow_ones(names) == []
  assert seconds < SECONDS
