import numpy as np
import pytest
import tensorflow as tf

from deeplab2.interop.checkpoint_contents import (
  CheckpointContents,
  UnreadableCheckpointError,
  data_files,
)

ARRAYS = {
  "a": np.arange(997, dtype=np.float32),
  "b": np.arange(6, dtype=np.int64).reshape(2, 3),
}


@pytest.fixture
def prefix(tmp_path):
  name = str(tmp_path / "ckpt-3")
  tf.raw_ops.SaveV2(
    prefix=name,
    tensor_names=list(ARRAYS),
    shape_and_slices=[""] * len(ARRAYS),
    tensors=list(map(tf.constant, ARRAYS.values())),
  )
  return name


def data_of(prefix):
  return f"{prefix}.data-00000-of-00001"


def change(path, edit):
  with open(path, "rb") as file:
    content = file.read()
  with open(path, "wb") as file:
    file.write(edit(content))


def test_shapes_and_arrays(prefix):
  contents = CheckpointContents(prefix)
  assert contents.shapes == {"a": (997,), "b": (2, 3)}
  assert contents.dtypes == {"a": "float32", "b": "int64"}
  for name, array in contents.read(ARRAYS).items():
    np.testing.assert_array_equal(array, ARRAYS[name])
    assert array.dtype == ARRAYS[name].dtype


def test_a_relative_prefix_finds_its_files(prefix, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  assert data_files("ckpt-3") == ["ckpt-3.data-00000-of-00001"]
  assert CheckpointContents("ckpt-3").shapes


@pytest.mark.parametrize("bytes_left", [0, 40])
def test_a_truncated_index_is_named(prefix, bytes_left):
  change(f"{prefix}.index", lambda content: content[:bytes_left])
  with pytest.raises(UnreadableCheckpointError) as error:
    CheckpointContents(prefix)
  assert f"{prefix}.index: cut short or garbled" in str(error.value)


@pytest.mark.parametrize("bytes_left", [0, 1000])
def test_truncated_data_is_named(prefix, bytes_left):
  change(data_of(prefix), lambda content: content[:bytes_left])
  contents = CheckpointContents(prefix)
  with pytest.raises(UnreadableCheckpointError) as error:
    contents.read(["a"])
  assert f"{data_of(prefix)}: cut short or garbled" in str(error.value)


def test_a_flipped_bit_is_noticed(prefix):
  change(data_of(prefix), lambda c: c[:99] + bytes([c[99] ^ 1]) + c[100:])
  with pytest.raises(UnreadableCheckpointError, match="at a"):
    CheckpointContents(prefix).read(["a"])


def test_missing_data_is_named(prefix, tmp_path):
  (tmp_path / "ckpt-3.data-00000-of-00001").rename(
    tmp_path / "ckpt-3.data-00001-of-00003"
  )
  with pytest.raises(UnreadableCheckpointError) as error:
    CheckpointContents(prefix)
  assert str(error.value) == (
    f"checkpoint {prefix}: expected 3 files of data; missing "
    f"{prefix}.data-00000-of-00003, {prefix}.data-00002-of-00003."
  )
  (tmp_path / "ckpt-3.data-00001-of-00003").unlink()
  with pytest.raises(UnreadableCheckpointError, match="found no file of data"):
    CheckpointContents(prefix)
