import io
import os
import pathlib
import tarfile

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.interop.checkpoint_contents import CheckpointContents
from deeplab2.interop.checkpoint_sources import (
  checkpoint_steps,
  open_checkpoint,
  resolve,
)


def write(prefix):
  """A checkpoint of a single number, the length of its name."""
  value = tf.constant(float(len(os.path.basename(prefix))))
  tf.raw_ops.SaveV2(
    prefix=str(prefix),
    tensor_names=["x"],
    shape_and_slices=[""],
    tensors=[value],
  )
  return str(prefix)


def archive(path, folder, inside="max_deeplab_s"):
  with tarfile.open(path, "w:gz") as file:
    file.add(folder, arcname=inside)
  return str(path)


@pytest.fixture
def folder(tmp_path):
  path = tmp_path / "folder"
  path.mkdir()
  return path


def test_a_prefix_is_itself_with_or_without_its_ending(folder):
  prefix = write(folder / "ckpt-7")
  assert resolve(prefix) == resolve(prefix + ".index") == prefix


def test_a_folder_stands_for_what_its_list_names(folder):
  write(folder / "ckpt-100")
  announced = write(folder / "ckpt-20")
  (folder / "checkpoint").write_text('model_checkpoint_path: "ckpt-20"\n')
  assert resolve(folder) == announced


def test_without_a_list_it_stands_for_the_highest_step(folder):
  for step in (9, 10, 100):
    write(folder / f"ckpt-{step}")
  assert resolve(folder) == str(folder / "ckpt-100")
  assert checkpoint_steps(folder) == [9, 10, 100]


def test_a_list_that_points_elsewhere_does_not_count(folder):
  prefix = write(folder / "ckpt-9")
  (folder / "checkpoint").write_text('model_checkpoint_path: "/gone/ckpt-1"\n')
  lines = []
  assert resolve(folder, lines.append) == prefix
  assert lines == [
    f"Passed over checkpoint /gone/ckpt-1, which {folder}/checkpoint names: it "
    "is not there."
  ]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"no list"])
def test_a_list_that_is_none_does_not_count(folder, content):
  prefix = write(folder / "ckpt-9")
  (folder / "checkpoint").write_bytes(content)
  assert resolve(folder) == prefix


def test_one_checkpoint_may_have_any_name_but_not_two(folder):
  only = write(folder / "model.ckpt")
  assert resolve(folder) == only
  write(folder / "other.ckpt")
  with pytest.raises(ValueError, match=r"one of model\.ckpt, other\.ckpt"):
    resolve(folder)


@pytest.mark.parametrize("name", ["", "ckpt-1", "gone.tar.gz"])
def test_nothing_is_an_error(folder, name):
  with (
    pytest.raises(ValueError, match="found none at"),
    open_checkpoint(folder / name),
  ):
    pass


def test_an_archive_is_read_as_it_is_and_leaves_nothing(folder, tmp_path):
  write(folder / "ckpt-400000")
  path = archive(tmp_path / "zoo.tar.gz", folder)
  with open_checkpoint(path) as prefix:
    assert os.path.basename(prefix) == "ckpt-400000"
    assert tf.train.load_checkpoint(prefix).get_tensor("x") == 11
    assert not prefix.startswith(str(tmp_path))
  assert not os.path.exists(os.path.dirname(prefix))


def test_a_folder_may_be_named_like_an_archive(tmp_path):
  folder = tmp_path / "odd.tar.gz"
  folder.mkdir()
  expected = write(folder / "ckpt-1")
  with open_checkpoint(folder) as prefix:
    assert prefix == expected


def test_an_archive_cannot_write_outside(folder, tmp_path):
  prefix = write(folder / "ckpt-1")
  path = tmp_path / "evil.tar.gz"
  with tarfile.open(path, "w:gz") as file:
    for ending in (".index", ".data-00000-of-00001"):
      file.add(prefix + ending, arcname=f"../../outside/ckpt-1{ending}")
    link = tarfile.TarInfo("../../outside/checkpoint")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    file.addfile(link)
  with open_checkpoint(path) as inside:
    names = os.listdir(os.path.dirname(inside))
    assert sorted(names) == ["ckpt-1.data-00000-of-00001", "ckpt-1.index"]
    assert not pathlib.Path(inside).is_symlink()


def test_an_archive_of_something_else_is_an_error(tmp_path):
  path = tmp_path / "other.tar"
  with tarfile.open(path, "w") as file:
    file.addfile(tarfile.TarInfo("notes.txt"), io.BytesIO())
  with pytest.raises(ValueError) as error, open_checkpoint(path):
    pass
  assert str(error.value) == (
    f"{path}: expected an archive with a checkpoint, files such as "
    "ckpt-100.index and ckpt-100.data-00000-of-00001; found none in it."
  )


def test_a_text_that_is_called_an_archive_is_an_error(tmp_path):
  path = tmp_path / "notes.tar.gz"
  path.write_text("not an archive\n" * 99)
  with pytest.raises(ValueError) as error, open_checkpoint(path):
    pass
  assert str(error.value) == (
    f"{path}: expected a whole .tar or .tar.gz; it cannot be read to its end: "
    "file could not be opened successfully."
  )


def test_checkpoints_in_two_folders_are_an_error(folder, tmp_path):
  write(folder / "ckpt-1")
  path = tmp_path / "two.tar.gz"
  with tarfile.open(path, "w:gz") as file:
    for inside in ("a", "b"):
      file.add(folder, arcname=inside)
  with (
    pytest.raises(ValueError, match="found some in a, b"),
    open_checkpoint(path),
  ):
    pass


def test_a_broken_checkpoint_in_an_archive_is_named_with_it(folder, tmp_path):
  write(folder / "ckpt-1")
  index = folder / "ckpt-1.index"
  index.write_bytes(index.read_bytes()[:40])
  path = archive(tmp_path / "zoo.tar.gz", folder)
  with pytest.raises(ValueError) as error, open_checkpoint(path) as prefix:
    CheckpointContents(prefix)
  assert str(error.value).startswith(
    f"{path}: checkpoint ckpt-1.index: cut short or garbled"
  )


@pytest.mark.parametrize("part", [0.0, 0.5, 0.9, 0.9999])
def test_a_truncated_archive_is_named(folder, tmp_path, part):
  (folder / "ckpt-1.data-00000-of-00001").write_bytes(
    np.random.default_rng(0).bytes(9973)
  )
  (folder / "ckpt-1.index").touch()
  path = pathlib.Path(archive(tmp_path / "zoo.tar.gz", folder))
  whole = path.read_bytes()
  path.write_bytes(whole[: int(part * len(whole))])
  with pytest.raises(ValueError) as error, open_checkpoint(path):
    pass
  assert str(error.value).startswith(
    f"{path}: expected a whole .tar or .tar.gz; it cannot be read to its end"
  )
