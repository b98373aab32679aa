"""The networks that were recorded, with the weights they had."""

import dataclasses

from deeplab2.config import load_experiment
from deeplab2.interop.original_keys import original_key
from deeplab2.layers.variable_paths import variables_by_path
from deeplab2.models import build_meta_architecture
from tests.parity.weights import weight

_BACKBONE = "model_options.backbone"
_HEADS = "model_options.max_deeplab"
_THRESHOLDS = (
  "evaluator_options.thing_area_limit=8",
  "evaluator_options.stuff_area_limit=32",
  "evaluator_options.pixel_confidence_threshold=0.2",
  "evaluator_options.transformer_class_confidence_threshold=0.3",
)
# MaX-DeepLab-S with every part but a quarter of the width.
NARROW = (
  f"{_BACKBONE}.stem_width_multiplier=0.25",
  f"{_BACKBONE}.backbone_width_multiplier=0.25",
  f"{_BACKBONE}.backbone_layer_multiplier=0.5",
  f"{_BACKBONE}.drop_path_keep_prob=1",
  f"{_HEADS}.pixel_space_head.head_channels=64",
  f"{_HEADS}.pixel_space_head.output_channels=32",
  f"{_HEADS}.auxiliary_semantic_head.head_channels=64",
  "model_options.decoder.decoder_channels=64",
  "model_options.decoder.aspp_channels=64",
)
SMALL = "coco/max_deeplab/max_deeplab_s_os16_res641_100k"
LARGE = "coco/max_deeplab/max_deeplab_l_os16_res1025_100k"


def experiment(config: str, *overrides: str, size=(65, 65)):
  """A config at a small size, on one device, with thresholds for it."""
  crop = ",".join(map(str, size))
  return load_experiment(
    config,
    overrides=[
      "INIT_CHECKPOINT=",
      *(f"{s}_dataset_options.crop_size={crop}" for s in ("train", "eval")),
      "trainer_options.solver_options.use_sync_batchnorm=false",
      *_THRESHOLDS,
      *overrides,
    ],
    search_files=False,
  )


def build(options, seed: int, *, calm: bool = False):
  """The meta-architecture with the weights of that seed.

  Its loss matches as the original does; see `differences_test.py`.
  """
  architecture = build_meta_architecture(options)
  assign_weights(architecture.model, seed, calm=calm)
  loss = dataclasses.replace(architecture.loss, solver="original")
  return dataclasses.replace(architecture, loss=loss)


def assign_weights(model, seed: int, *, calm: bool = False) -> None:
  """Gives every variable its value, moving averages too."""
  for path, variable in variables_by_path(model).items():
    value = weight(original_key(path), variable.shape, seed, calm=calm)
    variable.assign(value)


def is_recomputed(key: str, keys) -> bool:
  """Whether the original computes the block of a variable twice in training.

  Args:
    key: the original's key of the variable.
    keys: those of all trainable variables; they tell which blocks are axial.
  """
  block = key.split("/")[:3]
  return any(
    other.split("/")[:3] == block and "/_attention/_height_axis" in other
    for other in keys
  )
