import concurrent.futures
import os

import pytest
import tensorflow as tf

from deeplab2.datasets.record_index import RecordIndex, frame_record

DATA = [b"", b"one", b"two" * 1000, b"three"]


@pytest.fixture
def folder(tmp_path):
  """Shards of 0, 1 and 3 records, written by TensorFlow."""
  parts = {"a": [], "b": DATA[:1], "c": DATA[1:]}
  for name, records in parts.items():
    with tf.io.TFRecordWriter(str(tmp_path / f"{name}.tfrecord")) as writer:
      for record in records:
        writer.write(record)
  return tmp_path


def _error_of(pattern) -> str:
  with pytest.raises(ValueError) as caught:
    RecordIndex.from_patterns(pattern)
  return str(caught.value)


def test_reads_every_record_in_order_of_file_and_place(folder):
  index = RecordIndex.from_patterns(str(folder / "*.tfrecord"))
  assert len(index) == 4
  assert [index.read(i) for i in range(4)] == DATA
  assert index.where(3) == f"{folder / 'c.tfrecord'}, record 2"
  assert index.where(0) == f"{folder / 'b.tfrecord'}, record 0"


def test_finds_again_what_it_named(folder):
  index = RecordIndex.from_patterns(str(folder / "*.tfrecord"))
  for number in range(4):
    assert index.number_at(index.where(number)) == number
  for other in (
    f"{folder / 'b.tfrecord'}, record 1",
    "b.tfrecord, record 0",
    "",
  ):
    assert index.number_at(other) is None


def test_overlapping_patterns_count_a_file_once(folder):
  patterns = [str(folder / "c*"), str(folder / "[bc].tfrecord")]
  assert len(RecordIndex.from_patterns(patterns)) == 4


def test_framing_is_tensorflows(folder):
  framed = b"".join(frame_record(data) for data in DATA[1:])
  assert (folder / "c.tfrecord").read_bytes() == framed


def test_threads_do_not_disturb_each_other(folder):
  index = RecordIndex.from_patterns(str(folder / "*.tfrecord"))
  numbers = [i % 4 for i in range(400)]
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    read = list(pool.map(index.read, numbers))
  assert read == [DATA[i] for i in numbers]


@pytest.mark.parametrize("cut", [1, 4, 7])
def test_a_file_cut_short_is_named(folder, cut):
  path = folder / "c.tfrecord"
  size = path.stat().st_size
  os.truncate(path, size - cut)
  start = size - len(frame_record(DATA[3]))
  assert _error_of(str(folder / "*")) == (
    f"{path}: cut short: the record at byte {start} ends at byte {size}, "
    f"the file at {size - cut}."
  )


def test_a_file_cut_in_a_header_is_named(folder):
  path = folder / "b.tfrecord"
  os.truncate(path, 5)
  assert (
    _error_of(str(path)) == f"{path}: cut short: no whole header at byte 0."
  )


def test_a_file_of_another_kind_is_named(folder):
  path = folder / "notes.txt"
  path.write_text("This is no record, only a line of text.")
  assert _error_of(str(path)) == (
    f"{path}: not a TFRecord file, or damaged: the checksum of the header at "
    "byte 0 does not agree."
  )


def test_damaged_data_is_found_when_it_is_read(folder):
  path = folder / "c.tfrecord"
  data = bytearray(path.read_bytes())
  data[len(frame_record(b"one")) + 12 + 100] ^= 1
  path.write_bytes(data)
  index = RecordIndex.from_patterns(str(path))
  assert index.read(0) == b"one"
  with pytest.raises(ValueError) as caught:
    index.read(1)
  assert str(caught.value) == (
    f"{path}, record 1: the checksum does not agree."
  )


def test_a_file_cut_after_the_scan_is_named(folder):
  path = folder / "c.tfrecord"
  index = RecordIndex.from_patterns(str(path))
  os.truncate(path, 30)
  with pytest.raises(ValueError) as caught:
    index.read(2)
  assert str(caught.value) == (
    f"{path}, record 2: the file was cut since its scan."
  )


def test_what_is_damaged_may_be_counted_in(folder):
  path = folder / "c.tfrecord"
  os.truncate(path, path.stat().st_size - 1)
  index = RecordIndex.from_patterns(str(folder / "*"), allow_damage=True)
  assert [index.read(i) for i in range(3)] == DATA[:3]
  with pytest.raises(ValueError) as caught:
    index.read(3)
  assert str(caught.value).startswith(f"{path}, record 2: cut short: the rec")
  os.truncate(folder / "b.tfrecord", 3)
  assert _error_of(str(folder / "*")) == (
    f"{folder / 'b.tfrecord'}: cut short: no whole header at byte 0. "
    "1 more places are damaged."
  )


def test_a_file_that_vanished_is_named(folder):
  path = folder / "c.tfrecord"
  index = RecordIndex.from_patterns(str(path))
  path.unlink()
  with pytest.raises(ValueError) as caught:
    index.read(0)
  assert str(caught.value) == (
    f"{path}, record 0: cannot be read: No such file or directory."
  )


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(folder):
  index = RecordIndex.from_patterns(str(folder / "c.tfrecord"))
  (folder / "c.tfrecord").unlink()
  os.mkfifo(folder / "c.tfrecord")
  with pytest.raises(ValueError, match=r"c\.tfrecord, record 0: "):
    index.read(0)


def test_patterns_without_files_or_records(folder):
  missing = str(folder / "train*")
  assert _error_of(missing) == (
    "file_pattern: expected TFRecord files, such as records/train-*.tfrecord "
    "(data/build_coco_data.py writes them); nothing matches "
    f"{missing!r}."
  )
  assert _error_of([]) == (
    "file_pattern: expected at least one pattern; got none."
  )
  (folder / "train2017").mkdir()
  assert _error_of(missing).endswith(f"only folders match {missing!r}.")
  empty = str(folder / "a.tfrecord")
  assert _error_of(empty) == (
    f"file_pattern: the files hold no record; got {empty}."
  )
