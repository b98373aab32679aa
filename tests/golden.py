"""The recordings of the original library, for the tests that agree with them.

They are not part of the repository: DEEPLAB2_GOLDEN names their folder, by
default ../shared/golden beside the checkout.
"""

import importlib.util
import os
import pathlib

import numpy as np
import pytest

from deeplab2.config import load_experiment
from deeplab2.interop.original_keys import original_key
from deeplab2.layers.variable_paths import variables_by_path
from deeplab2.models import build_meta_architecture
from deeplab2.structures import Targets

_BESIDE = pathlib.Path(__file__).resolve().parents[2] / "shared" / "golden"
FOLDER = pathlib.Path(os.environ.get("DEEPLAB2_GOLDEN", _BESIDE))
SEED = 7


def recording(name: str):
  """The arrays of a recording; skips the test where there is none."""
  path = FOLDER / f"{name}.npz"
  if not path.is_file():
    pytest.skip(f"no recording {path}; set DEEPLAB2_GOLDEN to their folder")
  return np.load(path)


def _recipe():
  spec = importlib.util.spec_from_file_location("recipe", FOLDER / "recipe.py")
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def build(config: str, crop_size: tuple[int, int]):
  """The architecture of a config as it was recorded, with its weights."""
  size = ",".join(map(str, crop_size))
  experiment = load_experiment(
    config,
    overrides=[
      "EXPERIMENT_NAME=golden",
      "INIT_CHECKPOINT=",
      "TRAIN_SET=unused",
      "VAL_SET=unused",
      f"train_dataset_options.crop_size={size}",
      f"eval_dataset_options.crop_size={size}",
      "evaluator_options.thing_area_limit=8",
      "evaluator_options.stuff_area_limit=32",
      "evaluator_options.pixel_confidence_threshold=0.2",
      "evaluator_options.transformer_class_confidence_threshold=0.3",
      "trainer_options.solver_options.use_sync_batchnorm=false",
      "trainer_options.loss_options.matching=original",
    ],
    search_files=False,
  )
  architecture = build_meta_architecture(experiment)
  assign_weights(architecture.model)
  return architecture


def assign_weights(model, seed: int = SEED):
  """Gives every variable the value that the recipe has for its key."""
  recipe = _recipe()
  for path, variable in variables_by_path(model).items():
    value = recipe.weight_value(original_key(path), variable.shape, seed)
    variable.assign(value)


def targets(arrays) -> Targets:
  """The ground truth of a recording."""
  semantic = arrays["gt/semantic_gt"]
  thing_id = arrays["gt/thing_id_mask_gt"]
  return Targets(
    semantic=semantic,
    semantic_weight=arrays["gt/semantic_loss_weight"],
    thing_id=thing_id,
    thing_class=arrays["gt/thing_id_class_gt"],
    crowd=np.zeros_like(semantic, bool),
    panoptic=semantic * 256 + thing_id + 1,
  )


def relative_error(actual, expected) -> float:
  """The largest difference as a part of the largest expected value."""
  expected = np.asarray(expected, np.float64)
  difference = np.abs(np.asarray(actual, np.float64) - expected)
  return float(difference.max() / max(np.abs(expected).max(), 1e-30))
