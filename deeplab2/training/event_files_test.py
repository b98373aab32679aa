import numpy as np
import tensorflow as tf

from deeplab2.training import event_files
from deeplab2.training.board import Board
from deeplab2.training.history import read_history


def write(folder, steps):
  board = Board(str(folder / "train"))
  for step in steps:
    board.scalars(step, {"x": step / 2})
    board.picture(step, "p", np.zeros((2, 3, 3), np.uint8))
  board.close()


def steps_of(folder):
  return [record["step"] for record in read_history(str(folder))]


def test_later_points_and_pictures_go_and_earlier_ones_stay(tmp_path):
  write(tmp_path, [1, 2])
  write(tmp_path, [3, 4, 5])
  event_files.forget_from(str(tmp_path / "train"), 4)
  assert steps_of(tmp_path) == [1, 2, 3]
  steps = [
    event.step
    for path in (tmp_path / "train").iterdir()
    for event in tf.compat.v1.train.summary_iterator(str(path))
    if event.HasField("summary")
  ]
  assert sorted(steps) == [1, 1, 2, 2, 3, 3]


def test_files_without_later_points_stay_as_they_are(tmp_path):
  write(tmp_path, [1, 2])
  (path,) = (tmp_path / "train").iterdir()
  before = path.stat().st_mtime_ns, path.read_bytes()
  event_files.forget_from(str(tmp_path / "train"), 3)
  assert (path.stat().st_mtime_ns, path.read_bytes()) == before


def test_what_a_kill_cut_short_is_read_as_far_as_it_goes(tmp_path):
  write(tmp_path, [1, 2, 3])
  (path,) = (tmp_path / "train").iterdir()
  path.write_bytes(path.read_bytes()[:-3])
  event_files.forget_from(str(tmp_path / "train"), 3)
  assert steps_of(tmp_path) == [1, 2]


def test_a_folder_that_is_not_there_has_nothing_to_forget(tmp_path):
  event_files.forget_from(str(tmp_path / "train"), 0)
  assert list(tmp_path.iterdir()) == []
