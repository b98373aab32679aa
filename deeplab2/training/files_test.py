import os

import pytest
import tensorflow as tf

from deeplab2.training import files


def test_content_replaces_what_was_there(tmp_path):
  path = str(tmp_path / "a.txt")
  for content in ("old and long", b"new"):
    files.write_whole(path, content)
  assert (tmp_path / "a.txt").read_text() == "new"
  assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_kill_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / "a.txt"
  files.write_whole(str(path), "old")

  def killed(source, target, overwrite):
    raise KeyboardInterrupt

  monkeypatch.setattr(tf.io.gfile, "rename", killed)
  with pytest.raises(KeyboardInterrupt):
    files.write_whole(str(path), "new")
  assert path.read_text() == "old"


def test_a_file_has_its_name_only_once_it_is_on_the_disk(tmp_path, monkeypatch):
  """What reaches the disk, in which order, a power cut could show."""
  events = []
  path = str(tmp_path / "a")

  def fsync(opened):
    name = os.path.basename(os.readlink(f"/proc/self/fd/{opened}"))
    events.append((name, os.path.exists(path)))

  if not os.path.exists("/proc/self/fd"):
    pytest.skip("no /proc to see what is synchronized")
  monkeypatch.setattr(os, "fsync", fsync)
  files.write_whole(path, b"x")
  assert events == [("a.unfinished", False), (tmp_path.name, True)]


def test_a_file_that_cannot_be_written_is_one_line(tmp_path):
  path = str(tmp_path / "folder")
  os.makedirs(path + "/full")
  with pytest.raises(files.NotWrittenError) as error:
    files.write_whole(path, b"x")
  assert str(error.value) == (f"{path}: could not be written: Is a directory.")
  assert os.listdir(tmp_path) == ["folder"]


def test_files_of_a_failure_go_and_others_stay(tmp_path):
  old, new = tmp_path / "old", tmp_path / "a" / "b" / "new"
  old.write_text("before")
  with (
    pytest.raises(KeyboardInterrupt),
    files.all_or_none([str(old), str(new)]),
  ):
    new.parent.mkdir(parents=True)
    for path in (old, new):
      files.write_whole(str(path), "after")
    raise KeyboardInterrupt
  assert os.listdir(tmp_path) == ["old"]
  assert old.read_text() == "after"


def test_a_folder_with_files_of_somebody_else_stays(tmp_path):
  new = tmp_path / "a" / "new"
  with pytest.raises(ValueError), files.all_or_none([str(new)]):
    new.parent.mkdir()
    (new.parent / "theirs").touch()
    (new.parent / "new.unfinished").touch()
    raise ValueError
  assert os.listdir(new.parent) == ["theirs"]


def test_files_of_a_success_stay(tmp_path):
  with files.all_or_none([f"{tmp_path}/a/new"]):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "new").touch()
  assert os.listdir(tmp_path / "a") == ["new"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_is_named():
  with (
    pytest.raises(files.NotWrittenError) as error,
    files.writing("runs/x/a"),
    open("/dev/full", "w") as file,
  ):
    file.write("x")
  assert str(error.value) == (
    "runs/x/a: could not be written: No space left on device."
  )
