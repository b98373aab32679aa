"""What an evaluation leaves for people and for other programs to look at."""

import io
import os
import re

import tensorflow as tf
from PIL import Image

from deeplab2.datasets.coco_result_writer import CocoResultWriter
from deeplab2.training import files
from deeplab2.training.evaluator import Scored
from deeplab2.visualize.sheet import Example, comparison_sheet


def build_observers(experiment, model_dir: str, dataset, board) -> list:
  """The observers that EvaluatorOptions ask for.

  Args:
    experiment: its `evaluator_options` apply.
    model_dir: of the run; files go to vis/ in it unless the options say other.
    dataset: DatasetDescription.
    board: Board of the evaluation; pictures always go there.
  """
  options = experiment.evaluator_options
  folder = options.override_save_dir or os.path.join(model_dir, "vis")
  observers = []
  if options.num_vis_samples:
    saved_in = os.path.join(folder, "pictures")
    observers.append(
      Pictures(
        options.num_vis_samples,
        dataset,
        board,
        saved_in if options.save_predictions else None,
      )
    )
  if options.save_raw_predictions:
    path = os.path.join(folder, "predictions.json")
    observers.append(CocoPredictions(path, dataset))
  return observers


class Pictures:
  """Paints the first images with their truth and their prediction."""

  def __init__(self, limit: int, dataset, board, folder: str | None):
    """Args:
    limit: how many images.
    dataset: DatasetDescription, for colours and names.
    board: Board that shows them in TensorBoard.
    folder: where each is also written as <name>.png; None for nowhere.
    """
    self._limit = limit
    self._dataset = dataset
    self._board = board
    self._folder = folder
    self._seen: list[Scored] = []

  def start(self) -> None:
    self._seen = []

  def see(self, scored: Scored) -> None:
    if len(self._seen) < self._limit:
      self._seen.append(scored)

  def finish(self, step: int) -> None:
    for scored in self._seen:
      truth = scored.truth.panoptic if scored.truth is not None else None
      example = Example(scored.image, truth, scored.prediction)
      picture = comparison_sheet([example], self._dataset)
      self._board.picture(step, f"predictions/{scored.name}", picture)
      if self._folder is not None:
        self._save(scored.name, picture)

  def _save(self, name: str, picture) -> None:
    tf.io.gfile.makedirs(self._folder)
    # Names of foreign records may hold folders.
    path = os.path.join(self._folder, re.sub(r"[^\w.-]", "_", name) + ".png")
    content = io.BytesIO()
    Image.fromarray(picture).save(content, format="PNG")
    files.write_whole(path, content.getvalue())


class CocoPredictions:
  """Writes every prediction as COCO's test server takes them."""

  def __init__(self, json_path: str, dataset):
    self._json_path = json_path
    self._dataset = dataset
    self._writer = None

  def start(self) -> None:
    self._writer = CocoResultWriter(self._json_path, self._dataset)

  def see(self, scored: Scored) -> None:
    self._writer.add(scored.name, scored.prediction)

  def finish(self, step: int) -> None:
    del step
    self._writer.finish()
