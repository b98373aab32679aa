"""What the original library computed, and how near we have to come to it."""

import json
import pathlib
import zlib

import numpy as np

from deeplab2.structures import MaskPrediction, Targets

FOLDER = pathlib.Path(__file__).resolve().parent / "recordings"

# Our name of an output -> the original's.
OUTPUTS = {
  "mask_logits": "pixel_space_mask_logits",
  "class_logits": "transformer_class_logits",
  "pixel_features": "pixel_space_normalized_feature",
  "semantic_logits": "semantic_logits",
}
MAPS = {
  "panoptic": "panoptic_pred",
  "semantic": "semantic_pred",
  "instance": "instance_pred",
  "instance_score": "instance_scores",
  "semantic_score": "semantic_scores",
}


def recording(name: str):
  """The arrays of `recordings/<name>.npz`; the README says what they are."""
  return np.load(FOLDER / f"{name}.npz")


def below(arrays, prefix: str) -> dict[str, np.ndarray]:
  """Name without the prefix -> array, of those whose names begin with it."""
  return {
    name.removeprefix(prefix): arrays[name]
    for name in arrays.files
    if name.startswith(prefix)
  }


def shapes_by_key(name: str) -> dict[str, tuple[int, ...]]:
  """Key -> shape of the variables that a network has in its checkpoints."""
  arrays = below(recording("keys"), f"{name}/")
  return shapes_of(arrays["keys"], arrays["shapes"])


def shapes_of(keys, shapes) -> dict[str, tuple[int, ...]]:
  """The same of the arrays that hold both, shapes as text like "[3, 3]"."""
  return {
    str(key): tuple(json.loads(str(shape).replace("(", "[").replace(")", "]")))
    for key, shape in zip(keys, shapes, strict=True)
  }


def thinned(array, at_most: int = 64) -> np.ndarray:
  """The entries of `array` that a recording kept: every n-th of them.

  n is odd, so that they are of all channels, whose numbers are powers of two.
  """
  flat = np.asarray(array).ravel()
  step = -(-flat.size // at_most)
  return flat[:: step + (step % 2 == 0)]


def projection(key: str, array) -> float:
  """The scalar product with normal random numbers that the key seeds.

  One number that depends on every entry: an error of some length changes it by
  about that length.
  """
  rng = np.random.default_rng(zlib.crc32(key.encode()))
  direction = rng.standard_normal(np.size(array), np.float32)
  return float(np.vdot(direction, np.ravel(array)))


def prediction_of(arrays) -> MaskPrediction:
  """The recorded outputs of the network."""
  return MaskPrediction(
    **{ours: arrays[f"out/{theirs}"] for ours, theirs in OUTPUTS.items()}
  )


def targets_of(arrays) -> Targets:
  """The ground truth of a recording of COCO's classes."""
  semantic, thing_id = arrays["gt/semantic_gt"], arrays["gt/thing_id_mask_gt"]
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


def assert_near(actual, expected, tolerance: float, name: str = "") -> None:
  """Fails where the `relative_error` is above the tolerance."""
  found = relative_error(actual, expected)
  if not found <= tolerance:
    raise AssertionError(f"{name}: {found:.2e} > {tolerance:.0e}")
