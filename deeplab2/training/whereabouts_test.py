import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from deeplab2.datasets import record_index, record_scan
from deeplab2.datasets.record_index import RecordIndex, frame_record
from deeplab2.training import whereabouts


class Inner(keras.layers.Layer):
  """Looks around when it is called."""

  def __init__(self, note):
    super().__init__(name="a_name")
    self.note = note

  def build(self, input_shape):
    pass

  def call(self, x):
    def look():
      self.note(whereabouts.activity(whereabouts.stacks()))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return x


class Outer(keras.Model):
  def __init__(self, note):
    super().__init__()
    self.part = Inner(note)

  def build(self, input_shape):
    pass

  def call(self, x):
    return self.part(x)


def test_the_layer_being_built_or_traced_is_named_by_its_path():
  seen = []
  model = Outer(seen.append)
  model(np.zeros(1))
  tf.function(model, autograph=False)(tf.zeros(1))
  assert seen == ["building part", "tracing part"]


@pytest.fixture
def frozen(monkeypatch):
  """A disk that does not answer until the event is set."""
  answers = threading.Event()

  def wait_and_open(*arguments, **options):
    answers.wait(10)
    return open(*arguments, **options)

  for module in (record_index, record_scan):
    monkeypatch.setattr(module, "open", wait_and_open, raising=False)
  return answers


def seen_while(call, look):
  """The first thing that `look` finds while another thread is in `call`."""
  thread = threading.Thread(target=call, daemon=True)
  thread.start()
  for _ in range(500):
    found = look()
    if found:
      return found, thread
  return None, thread


def test_a_thread_that_reads_is_seen_with_its_file_and_record(tmp_path, frozen):
  path = tmp_path / "a.tfrecord"
  path.write_bytes(frame_record(b"x") + frame_record(b"y"))
  frozen.set()
  index = RecordIndex.from_files([str(path)])
  frozen.clear()
  found, reader = seen_while(
    lambda: index.read(1),
    lambda: whereabouts.records_being_read(whereabouts.stacks()),
  )
  assert found == [f"{path}, record 1"]
  frozen.set()
  reader.join(5)


def test_a_file_that_is_looked_through_is_named(tmp_path, frozen):
  path = tmp_path / "a.tfrecord"
  path.write_bytes(frame_record(b"x"))

  def look():
    # Of the main thread alone, which is this one; so the other is put first.
    others = [s for s in whereabouts.stacks() if "scan_records" in names(s)]
    return others and whereabouts.activity(others)

  def names(stack):
    return [frame.f_code.co_name for frame in stack]

  found, scanner = seen_while(lambda: RecordIndex.from_files([str(path)]), look)
  assert found == f"looking for records in {path}"
  frozen.set()
  scanner.join(5)


def test_without_a_layer_the_place_in_the_library_is_named():
  def look(found):
    found.append(whereabouts.activity(whereabouts.stacks()))

  found = []
  thread = threading.Thread(target=look, args=(found,))
  thread.start()
  thread.join()
  assert "whereabouts_test.py line" in found[0]
