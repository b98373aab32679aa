"""Three lines from a file to a panoptic map: the whole of it for a user."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from deeplab2.config import load_experiment
from deeplab2.datasets import DatasetDescription, load_dataset
from deeplab2.inference import saved_model
from deeplab2.inference.hosted_image import image_function
from deeplab2.inference.images import read_image
from deeplab2.inference.model_folder import is_saved_model
from deeplab2.inference.preprocessing import InputFit
from deeplab2.inference.result import PanopticResult, find_segments
from deeplab2.inference.trained_model import load_trained_model

_MAPS = ("panoptic_pred", "instance_scores", "semantic_scores")


class Predictor:
  """Says what is in an image.

      predictor = Predictor.load("runs/demo")
      result = predictor("street.jpg")
      result.save("out/street")

  The first call takes longer, because TensorFlow prepares the model then.

  Attributes:
    dataset: the DatasetDescription whose classes are told apart.
  """

  def __init__(
    self,
    function: Callable[[Any], Mapping[str, Any]],
    dataset: DatasetDescription,
  ):
    """Wraps a function of one image, as `WholeImage` is, and its classes."""
    self._function = function
    self.dataset = dataset

  @classmethod
  def load(
    cls,
    path: str | Path,
    config_file: str | None = None,
    overrides: Sequence[str] = (),
    full_size: bool = False,
    weights: str | None = None,
  ) -> "Predictor":
    """Loads a training folder, a checkpoint or an exported SavedModel.

    Args:
      path: the folder of a training run, for its newest checkpoint; the prefix
        of a checkpoint, or an archive of one from the original's model zoo; or
        the folder of a SavedModel.
      config_file: a config's name or path, where none lies beside the
        checkpoint. For a SavedModel that google-research/deeplab2 exported, a
        config that names its dataset.
      overrides: assignments to the config, such as
        "evaluator_options.pixel_confidence_threshold=0.5".
      full_size: run the model at the size of the image, not at the crop size
        of evaluation; see `InputFit.from_experiment`.
      weights: "ema", the averages that a run with `ema_decay` keeps; "raw", the
        weights that it trains; None takes the averages where there are any.

    Raises:
      ValueError: there is nothing to load, or it does not fit the config.
    """
    if is_saved_model(path):
      _refuse_settings(
        path, overrides=list(overrides), full_size=full_size, weights=weights
      )
      dataset = _dataset_of_saved_model(path, config_file)
      return cls(saved_model.read_saved_model(path), dataset)
    _check_there(path)
    trained = load_trained_model(str(path), config_file, overrides, weights)
    fit = InputFit.from_experiment(trained.experiment, full_size)
    function = image_function(trained.architecture, fit)
    return cls(function, trained.architecture.dataset)

  def __call__(self, image: Any) -> PanopticResult:
    """Finds the segments of one image.

    Args:
      image: a path, a PIL image or an array of h w 3 uint8; see `read_image`.

    Raises:
      FileNotFoundError: the path names no file.
      ValueError: it is no image.
      TypeError: the model is one that returns something else.
    """
    image = read_image(image)
    maps = self._maps(image)
    score = maps["instance_scores"] * maps["semantic_scores"]
    panoptic = maps["panoptic_pred"]
    return PanopticResult(
      image=image,
      panoptic=panoptic,
      segments=find_segments(panoptic, score, self.dataset),
      dataset=self.dataset,
    )

  def _maps(self, image: np.ndarray) -> dict[str, np.ndarray]:
    """The maps of one image, each h w."""
    outputs = self._function(image)
    missing = sorted(set(_MAPS) - set(outputs))
    if missing:
      raise TypeError(
        f"model: expected the outputs {sorted(_MAPS)}; got {sorted(outputs)}."
      )
    return {name: outputs[name].numpy()[0] for name in _MAPS}


def _check_there(path: str | Path) -> None:
  if not any(tf.io.gfile.exists(p) for p in (str(path), f"{path}.index")):
    raise ValueError(
      "path: expected a training folder, the prefix of a checkpoint, such as "
      "runs/demo/ckpt-1000, its archive, or the folder of a SavedModel; got "
      f"{path}."
    )


def _refuse_settings(path: str | Path, **settings: Any) -> None:
  """Raises ValueError where a setting would have no effect."""
  for name, value in settings.items():
    if value:
      raise ValueError(
        f"{name}: expected none with a SavedModel, whose settings are those it "
        f"was exported with; got {value} for {path}."
      )


def _dataset_of_saved_model(
  path: str | Path, config_file: str | None
) -> DatasetDescription:
  """From the SavedModel if it is one of ours, and else from a config."""
  dataset = saved_model.read_dataset(path)
  if dataset is not None:
    _refuse_settings(path, config_file=config_file)
    return dataset
  if config_file is None:
    raise ValueError(
      "config_file: expected a config that names the dataset, because the "
      f"SavedModel {path} says nothing of its classes; got none."
    )
  experiment = load_experiment(config_file, search_files=False)
  return load_dataset(experiment.eval_dataset_options.dataset)
