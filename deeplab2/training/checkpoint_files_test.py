import numpy as np
import pytest
import tensorflow as tf

from deeplab2.training import checkpoint_files
from deeplab2.training.files import NotWrittenError

ARRAYS = {
  "model/a/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
  "seed": np.array([3, 2**31], np.uint32),
  "global_step": np.array(7, np.int64),
}


def write(folder) -> str:
  prefix = str(folder / "ckpt-7")
  checkpoint_files.write(prefix, ARRAYS)
  return prefix


def test_what_is_written_is_read_to_the_bit(tmp_path):
  prefix = write(tmp_path)
  found = checkpoint_files.read(prefix, ARRAYS)
  for name, array in ARRAYS.items():
    np.testing.assert_array_equal(found[name], array)
    assert found[name].dtype == array.dtype
  assert checkpoint_files.shapes(prefix)["model/a/kernel"] == (2, 3)


def test_a_kill_before_the_last_rename_leaves_no_checkpoint(
  tmp_path, monkeypatch
):
  rename = tf.io.gfile.rename

  def killed(source, target, overwrite):
    if target.endswith(".index"):
      raise KeyboardInterrupt
    rename(source, target, overwrite)

  monkeypatch.setattr(tf.io.gfile, "rename", killed)
  with pytest.raises(KeyboardInterrupt):
    write(tmp_path)
  assert not checkpoint_files.exists(str(tmp_path / "ckpt-7"))
  assert tf.train.latest_checkpoint(tmp_path) is None


def test_a_full_disk_gets_its_room_back(tmp_path, monkeypatch):
  def save(prefix, **options):
    path = f"{prefix}.data-00000-of-00001.tempstate17"
    tf.io.gfile.GFile(path, "w").write("as much as there was room for")
    raise tf.errors.ResourceExhaustedError(None, None, "No space left")

  monkeypatch.setattr(tf.raw_ops, "SaveV2", save)
  with pytest.raises(NotWrittenError, match="No space left"):
    write(tmp_path)
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
@pytest.mark.parametrize("damage", ["cut", "empty", "flip"])
def test_damage_is_noticed(tmp_path, suffix, damage):
  prefix = write(tmp_path)
  content = bytearray(tf.io.gfile.GFile(prefix + suffix, "rb").read())
  if damage == "cut":
    content = content[: len(content) // 2]
  elif damage == "empty":
    content = b""
  else:
    content[len(content) // 3] ^= 255
  (tmp_path / f"ckpt-7{suffix}").write_bytes(content)
  with pytest.raises(checkpoint_files.BrokenCheckpointError):
    checkpoint_files.shapes(prefix)
    checkpoint_files.read(prefix, ARRAYS)


def test_remove_removes_both_files(tmp_path):
  checkpoint_files.remove(write(tmp_path))
  assert list(tmp_path.iterdir()) == []
