import numpy as np
import tensorflow as tf

from deeplab2.training.board import Board


def read(directory):
  """(tag, step) -> number, or the string of a picture, from the files."""
  found = {}
  for path in sorted(directory.iterdir()):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
      for value in event.summary.value:
        found[value.tag, event.step] = tf.make_ndarray(value.tensor)
  return found


def test_numbers_are_on_disk_under_their_steps(tmp_path):
  board = Board(str(tmp_path))
  board.scalars(5, {"losses/mask": 0.5, "pq/all": 0.25})
  board.scalars(7, {"losses/mask": 0.125})
  assert read(tmp_path) == {
    ("losses/mask", 5): 0.5,
    ("pq/all", 5): 0.25,
    ("losses/mask", 7): 0.125,
  }


def test_a_picture_is_on_disk_as_it_was(tmp_path):
  picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
  Board(str(tmp_path)).picture(3, "predictions/cat", picture)
  width, height, png = read(tmp_path)["predictions/cat", 3]
  assert (int(width), int(height)) == (3, 2)
  np.testing.assert_array_equal(tf.io.decode_png(png), picture)


def test_nothing_to_say_makes_no_file(tmp_path):
  Board(str(tmp_path / "train"))
  assert not (tmp_path / "train").exists()


def test_a_session_that_writes_nothing_takes_nothing_away(tmp_path):
  board = Board(str(tmp_path))
  for step in (1, 2, 3):
    board.scalars(step, {"loss": step})
  Board(str(tmp_path)).begin_at(2)
  assert len(read(tmp_path)) == 3
  later = Board(str(tmp_path))
  later.begin_at(3)
  later.begin_at(2)
  later.scalars(2, {"loss": 0.0})
  later.begin_at(1)
  later.scalars(4, {"loss": 0.0})
  found = {step: float(value) for (_, step), value in read(tmp_path).items()}
  assert found == {1: 1.0, 2: 0.0, 4: 0.0}
