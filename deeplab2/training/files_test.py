import pytest
import tensorflow as tf

from deeplab2.training import files


def test_a_kill_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / "a.txt"
  files.write_whole(str(path), "old")

  def killed(source, target, overwrite):
    raise KeyboardInterrupt

  monkeypatch.setattr(tf.io.gfile, "rename", killed)
  with pytest.raises(KeyboardInterrupt):
    files.write_whole(str(path), "new")
  assert path.read_text() == "old"
