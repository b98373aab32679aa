import json

import numpy as np
import pytest
from PIL import Image

from deeplab2.training import fake_architecture as fake
from deeplab2.training.evaluator import Scored
from deeplab2.training.observers import build_observers
from deeplab2.training.truth import Truth


class FakeBoard:
  """Remembers its pictures."""

  def __init__(self):
    self.pictures = {}

  def picture(self, step, name, picture):
    self.pictures[step, name] = picture


def scored(name):
  panoptic = np.full((17, 33), 256, np.int32)
  panoptic[5:] = 512
  crowd = np.zeros_like(panoptic, bool)
  image = np.zeros((9, 17, 3), np.uint8)
  return Scored(name, image, (17, 33), panoptic, Truth(panoptic, crowd))


@pytest.fixture
def board():
  return FakeBoard()


def observe(tmp_path, board, **options):
  experiment = fake.experiment()
  for name, value in options.items():
    setattr(experiment.evaluator_options, name, value)
  observers = build_observers(experiment, str(tmp_path), fake.DATASET, board)
  for observer in observers:
    observer.start()
    for name in ("3", "4", "5"):
      observer.see(scored(name))
    observer.finish(70)


def test_the_first_images_are_shown(tmp_path, board):
  observe(tmp_path, board, num_vis_samples=2)
  assert list(board.pictures) == [(70, "predictions/3"), (70, "predictions/4")]
  assert list(tmp_path.iterdir()) == []


def test_pictures_are_saved_where_asked(tmp_path, board):
  observe(tmp_path, board, num_vis_samples=1, save_predictions=True)
  saved = Image.open(tmp_path / "vis" / "pictures" / "3.png")
  np.testing.assert_array_equal(saved, board.pictures[70, "predictions/3"])


def test_every_prediction_is_saved_in_cocos_format(tmp_path, board):
  folder = tmp_path / "elsewhere"
  observe(
    tmp_path,
    board,
    num_vis_samples=0,
    save_raw_predictions=True,
    override_save_dir=str(folder),
  )
  content = json.loads((folder / "predictions.json").read_text())
  assert [a["image_id"] for a in content["annotations"]] == [3, 4, 5]
  segments = content["annotations"][0]["segments_info"]
  assert [s["category_id"] for s in segments] == [7, 8]
  assert Image.open(folder / "predictions" / "3.png").size == (33, 17)
  assert board.pictures == {}
