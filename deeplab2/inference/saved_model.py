"""A folder that holds a model and needs nothing of this package to run.

Letters: h w height and width of an image.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import text_format

from deeplab2.datasets import DatasetDescription, load_dataset
from deeplab2.inference.trained_model import DATASET_FILE, EXPERIMENT_FILE
from deeplab2.inference.whole_image import WholeImage

# A part of the format that TensorFlow leaves to those who save.
EXTRA = "assets.extra"

SINGLE, BATCH = "serving_default", "serving_batch"


def write_saved_model(
  whole_image: WholeImage, dataset: DatasetDescription, experiment: Any, folder
) -> None:
  """Saves the function, and what its classes and settings are, in a folder.

  Two signatures: `serving_default` takes `input_tensor`, h w 3 uint8, and
  `serving_batch` takes b h w 3. Both return batches.
  """
  signatures = {
    SINGLE: whole_image.__call__.get_concrete_function(),
    BATCH: whole_image.batch.get_concrete_function(),
  }
  tf.saved_model.save(whole_image, str(folder), signatures=signatures)
  extra = Path(folder) / EXTRA
  extra.mkdir()
  (extra / DATASET_FILE).write_text(dataset.to_json(), encoding="utf-8")
  text = text_format.MessageToString(experiment)
  (extra / EXPERIMENT_FILE).write_text(text, encoding="utf-8")


def read_saved_model(folder: str | Path) -> Callable[..., dict]:
  """The function of one image in a SavedModel: h w 3 -> name -> 1 h w.

  It need not come from this package: one that google-research/deeplab2
  exported has the same signature.

  Raises:
    ValueError: its signature is another.
  """
  loaded = tf.saved_model.load(str(folder))
  signature = loaded.signatures.get(SINGLE)
  inputs = signature.structured_input_signature[1] if signature else {}
  if list(inputs) != ["input_tensor"]:
    raise ValueError(
      f"path: expected a SavedModel with the signature {SINGLE} of one "
      f"input_tensor; got the inputs {sorted(inputs)} in {folder}."
    )
  # Through `loaded`, which keeps the variables alive.
  return lambda image: loaded.signatures[SINGLE](input_tensor=image)


def read_dataset(folder: str | Path) -> DatasetDescription | None:
  """The classes of a SavedModel; None if this package did not save it."""
  path = Path(folder) / EXTRA / DATASET_FILE
  return load_dataset(str(path)) if path.is_file() else None
