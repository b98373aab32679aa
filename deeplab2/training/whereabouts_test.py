import contextlib
import os
import threading

import keras
import numpy as np
import tensorflow as tf

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


def test_a_thread_that_reads_is_seen_with_its_file_and_record(tmp_path):
  path = tmp_path / "a.tfrecord"
  path.write_bytes(frame_record(b"x") + frame_record(b"y"))
  index = RecordIndex.from_files([str(path)])
  # A pipe that nobody writes to looks like a disk that does not answer.
  path.unlink()
  os.mkfifo(path)

  def read():
    with contextlib.suppress(ValueError):  # a pipe cannot be searched
      index.read(1)

  reader = threading.Thread(target=read, daemon=True)
  reader.start()
  found = []
  for _ in range(500):
    found = whereabouts.records_being_read(whereabouts.stacks())
    if found:
      break
  assert found == [f"{path}, record 1"]
  os.close(os.open(path, os.O_WRONLY))
  reader.join(5)


def test_without_a_layer_the_place_in_the_library_is_named():
  def look(found):
    found.append(whereabouts.activity(whereabouts.stacks()))

  found = []
  thread = threading.Thread(target=look, args=(found,))
  thread.start()
  thread.join()
  assert "whereabouts_test.py line" in found[0]
