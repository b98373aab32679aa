import numpy as np
import pytest

from deeplab2.training.board import Board
from deeplab2.training.history import read_history


def test_a_board_is_read_back_by_step(tmp_path):
  Board(str(tmp_path / "train")).scalars(3, {"losses/a": 0.5, "rate": 2.0})
  # A run that went on writes a second file.
  Board(str(tmp_path / "train")).scalars(7, {"losses/a": 0.25})
  Board(str(tmp_path / "eval")).scalars(7, {"pq/all": 0.75})
  assert read_history(str(tmp_path)) == [
    {"step": 3, "train/losses/a": 0.5, "train/rate": 2.0},
    {"step": 7, "train/losses/a": 0.25, "eval/pq/all": 0.75},
  ]


def test_pictures_are_no_points(tmp_path):
  board = Board(str(tmp_path / "eval"))
  board.picture(1, "p", np.zeros((2, 3, 3), np.uint8))
  assert read_history(str(tmp_path)) == []


def test_every_point_is_kept(tmp_path):
  board = Board(str(tmp_path / "train"))
  for step in range(1200):
    board.scalars(step, {"x": step})
  assert len(read_history(str(tmp_path))) == 1200


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_folder_without_curves_has_no_history(tmp_path, name):
  assert read_history(str(tmp_path / name)) == []
