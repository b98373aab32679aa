"""A tiny network: what TensorFlow makes of it, and how near a backend comes.

  python tests/backend_agreement.py FOLDER

compares the backend that KERAS_BACKEND names with what `record` left in FOLDER,
and prints differences by name as JSON: the largest one as a part of the largest
value of a tensor, or the share of pixels of a map that differ.
"""

import json
import os
import sys

import keras
import numpy as np
from keras import ops

import deeplab2
from deeplab2 import backend
from deeplab2.config import load_experiment
from deeplab2.layers.variable_paths import variables_by_path
from deeplab2.models import build_meta_architecture
from deeplab2.structures import MaskPrediction, Targets

BATCH, SIZE = 2, 65
# Deviation: some slots are surer of a class than others. With none is the loss
# zero to the last bit: it is a mean over those that are not.
CLASS_KERNEL = 0.15
STEP = 7  # takes every 7th pixel of a picture, to get another size
OVERRIDES = (
  "DATA_DIR=.",
  "EXPERIMENT_NAME=backends",
  "train_dataset_options.dataset=shapes_panoptic",
  "eval_dataset_options.dataset=shapes_panoptic",
  f"train_dataset_options.crop_size={SIZE},{SIZE}",
  f"eval_dataset_options.crop_size={SIZE},{SIZE}",
  "evaluator_options.transformer_class_confidence_threshold=0.2",
  "evaluator_options.pixel_confidence_threshold=0.1",
  "trainer_options.solver_options.batchnorm_momentum=0.0",
  # Both sampled forms of the loss would draw other pixels on each backend.
  "model_options.max_deeplab.instance_discrimination_sample_k=0",
)


def record(folder) -> None:
  """Writes a run directory with a checkpoint, and expectations beside it."""
  from deeplab2.training import checkpoints, model_dir

  experiment = load_experiment(
    "shapes/max_deeplab_tiny", list(OVERRIDES), search_files=False
  )
  architecture = build_meta_architecture(experiment)
  set_weights(architecture.model)
  model_dir.describe(str(folder), experiment, architecture.dataset)
  checkpoints.CheckpointFolder(
    str(folder), checkpoints.model_state(architecture.model)
  ).save(1)
  given = {"image": draw_image()} | draw_targets(architecture)
  found = computed(folder, architecture, given)
  np.savez(os.path.join(folder, "expected.npz"), **given, **found)


def compare(folder) -> dict[str, float]:
  """Differences of this backend from the recorded ones."""
  expected = np.load(os.path.join(folder, "expected.npz"))
  given = {n: expected[n] for n in ("image", *Targets._fields)}
  experiment = load_experiment(
    os.path.join(folder, "experiment.textproto"), search_files=False
  )
  architecture = build_meta_architecture(experiment)
  deeplab2.load_checkpoint(architecture.model, str(folder), whole=True)
  found = computed(folder, architecture, given)
  # Some gradients are zero but for rounding: a softmax cancels a shift.
  largest = max(
    np.abs(expected[n]).max() for n in found if n.startswith("gradients/")
  )
  return {
    n: difference(
      found[n], expected[n], 1e-3 * largest if n.startswith("grad") else 1e-30
    )
    for n in found
  }


def computed(folder, architecture, given) -> dict[str, np.ndarray]:
  """All that is compared, by name."""
  targets = Targets(*(given[name] for name in Targets._fields))
  found = _forward(architecture, given["image"])
  found |= _losses(architecture, given["image"], targets)
  found |= _step(architecture, given["image"], targets)
  result = deeplab2.Predictor.load(str(folder))(given["image"][0, STEP:])
  return found | {"maps/predictor": result.panoptic}


def _forward(architecture, image):
  model = architecture.model

  def forward(image):
    prediction = model(image, training=False)
    return prediction, architecture.postprocess(prediction, (SIZE, SIZE))

  prediction, maps = backend.compiled(forward, model)(image)
  found = {f"outputs/{n}": v for n, v in prediction._asdict().items()}
  found |= {f"maps/{n}": v for n, v in maps._asdict().items()}
  return {name: ops.convert_to_numpy(values) for name, values in found.items()}


def _losses(architecture, image, targets):
  model = architecture.model

  def terms(image, *targets):
    prediction = model(image, training=False)
    return architecture.loss(prediction, Targets(*targets))

  found = backend.compiled(terms, model)(image, *targets)
  return {f"losses/{n}": ops.convert_to_numpy(v) for n, v in found.items()}


def _step(architecture, image, targets):
  """Gradients, of a network whose normalizations do not amplify rounding."""
  model = architecture.model

  def total(image, *targets):
    prediction = MaskPrediction(*model(image, training=False))
    terms = architecture.loss(prediction, Targets(*targets))
    return ops.mean(terms["total_loss"])

  _, gradients = backend.differentiated(total, model)(image, *targets)
  paths = {id(v): path for path, v in variables_by_path(model).items()}
  return {
    f"gradients/{paths[id(variable)]}": ops.convert_to_numpy(gradient)
    for variable, gradient in zip(
      model.trainable_variables, gradients, strict=True
    )
  }


def difference(found, expected, least: float) -> float:
  """As a part of the largest value, or of `least` where none is larger."""
  if np.issubdtype(expected.dtype, np.integer):
    return float((found != expected).mean())
  error = np.abs(np.float64(found) - np.float64(expected)).max()
  return float(error / max(np.abs(expected).max(), least))


def set_weights(model) -> None:
  """Random values that leave no part of the network without effect."""
  rng = np.random.default_rng(0)
  for path, variable in sorted(variables_by_path(model).items()):
    shape, name = variable.shape, path.rpartition("/")[2]
    noise = rng.standard_normal(shape)
    if name == "gamma":
      variable.assign(np.asarray(variable) * (1 + 0.1 * noise))
    elif name in ("beta", "bias"):
      variable.assign(0.1 * noise)
    elif "transformer_class_head" in path:
      variable.assign(CLASS_KERNEL * noise)
  # Without a momentum the averages become what they are for this image.
  model(draw_image(), training=True)


def draw_image() -> np.ndarray:
  """Blocks of colour under noise, b h w 3 uint8."""
  rng = np.random.default_rng(1)
  blocks = rng.integers(0, 256, (BATCH, 9, 9, 3)).repeat(8, 1).repeat(8, 2)
  noisy = blocks[:, :SIZE, :SIZE] + rng.normal(0, 9, (BATCH, SIZE, SIZE, 3))
  return np.clip(noisy, 0, 255).astype(np.uint8)


def draw_targets(architecture) -> dict[str, np.ndarray]:
  """Name -> array of `Targets`."""
  from deeplab2.benchmark.scenes import block_targets

  targets = block_targets(
    architecture.dataset.layout, BATCH, SIZE, 32, architecture.target_stride
  )
  return {name: np.asarray(v) for name, v in targets._asdict().items()}


def step_moves_averages() -> bool:
  """Whether a step of training moves the moving averages of the model."""
  layer = keras.layers.BatchNormalization(momentum=0.5)
  model = keras.Sequential([layer])
  model.build((None, 1))
  step = backend.differentiated(
    lambda x: ops.sum(model(x, training=True)), model
  )
  step(np.float32([[1], [3]]))
  return bool(np.allclose(ops.convert_to_numpy(layer.moving_mean), 1.0))


if __name__ == "__main__":
  print(
    json.dumps(
      {
        "backend": backend.backend(),
        "moves_averages": step_moves_averages(),
        "differences": compare(sys.argv[1]),
      }
    )
  )
