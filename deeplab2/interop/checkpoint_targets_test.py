import pytest
import tensorflow as tf

from deeplab2.interop.checkpoint_targets import announce, target_prefix


def test_a_path_is_a_prefix_unless_it_is_a_folder(tmp_path):
  assert target_prefix(tmp_path / "new", 7) == f"{tmp_path}/new"
  assert target_prefix(f"{tmp_path}/new/", 7) == f"{tmp_path}/new/ckpt-7"
  assert target_prefix(tmp_path, 7) == f"{tmp_path}/ckpt-7"


def test_what_is_there_is_not_replaced(tmp_path):
  (tmp_path / "ckpt-7.index").touch()
  for path in (tmp_path, tmp_path / "ckpt-7"):
    with pytest.raises(ValueError) as error:
      target_prefix(path, 7)
    assert str(error.value) == (
      "output_path: expected a new checkpoint, such as imported/ckpt-0; got "
      f"{tmp_path}/ckpt-7, which is there already."
    )


def test_the_first_of_a_folder_is_listed(tmp_path):
  for name in ("ckpt-7", "ckpt-8"):
    (tmp_path / f"{name}.index").touch()
    announce(str(tmp_path / name))
  assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "ckpt-7")
