import errno
import os
import subprocess
import sys

import pytest

from deeplab2.datasets.whole_file import (
  only_writer,
  remove_leftovers,
  whole_file,
  write_text,
)


def test_a_file_appears_when_it_is_whole(tmp_path):
  path = tmp_path / "a.json"
  with whole_file(path) as file:
    file.write(b"one ")
    assert not path.exists()
    assert [entry.name for entry in tmp_path.glob("*")] == [".a.json.part"]
    assert list(tmp_path.glob("a*")) == []
    file.write(b"two")
  assert path.read_bytes() == b"one two"
  assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_was_there_stays_until_then(tmp_path, error):
  path = tmp_path / "a.json"
  write_text(path, "old")
  with pytest.raises(error), whole_file(path) as file:
    file.write(b"new")
    raise error
  assert path.read_text() == "old"
  assert os.listdir(tmp_path) == ["a.json"]


def test_what_a_killed_program_left_is_written_over(tmp_path):
  (tmp_path / ".a.json.part").write_text("half of somethi")
  write_text(tmp_path / "a.json", "ä")
  assert (tmp_path / "a.json").read_bytes() == "ä".encode()
  assert os.listdir(tmp_path) == ["a.json"]


# A limit on the size of files stands for a disk that fills up.
_WRITES_TOO_MUCH = """
import resource, signal, sys
from deeplab2.datasets.whole_file import write_text
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
  write_text(sys.argv[1], "x" * 2000)
except OSError as error:
  print(error.errno, error)
"""


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path):
  path = tmp_path / "a.json"
  write_text(path, "old")
  run = subprocess.run(
    [sys.executable, "-c", _WRITES_TOO_MUCH, str(path)],
    capture_output=True,
    text=True,
    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
  )
  number = errno.EFBIG
  assert run.stdout == (
    f"{number} [Errno {number}] File too large: '{path}'\n"
  ), run.stderr
  assert path.read_text() == "old"
  assert os.listdir(tmp_path) == ["a.json"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
  with pytest.raises(FileNotFoundError, match=r"no/\.a\.json\.part"):
    write_text(tmp_path / "no" / "a.json", "x")


def test_leftovers_of_a_folder_go_and_nothing_else(tmp_path):
  for name in (".a.json.part", ".b.part", "c.part", ".hidden"):
    (tmp_path / name).write_text("x")
  remove_leftovers(tmp_path)
  assert sorted(os.listdir(tmp_path)) == [".hidden", "c.part"]


def test_a_folder_has_one_writer_at_a_time(tmp_path):
  with only_writer(tmp_path):
    with pytest.raises(ValueError) as error, only_writer(tmp_path):
      pass
    assert str(error.value) == (
      f"{tmp_path}: another program is writing there; wait for it, or choose "
      "another folder."
    )
  with only_writer(tmp_path):
    assert os.listdir(tmp_path) == []
