"""What MaX-DeepLab asks of a config, and which options it has no use for."""

from collections.abc import Iterator

from deeplab2.config.config_pb2 import ExperimentOptions, ModelOptions
from deeplab2.config.fields import is_set
from deeplab2.config.rules import (
  Rule,
  above,
  above_up_to,
  at_least,
  broken_rules,
  one_of,
  problem,
  set_without_effect,
)
from deeplab2.datasets import DatasetDescription

BACKBONES = ("max_deeplab_s", "max_deeplab_l")
_CONVOLUTIONS = one_of("depthwise_separable_conv", "standard_conv")
_LOSSES = "trainer_options.loss_options"
_HEADS = "model_options.max_deeplab"

RULES = {
  "model_options.backbone.name": one_of(*BACKBONES),
  "model_options.backbone.output_stride": one_of(16),
  "model_options.backbone.num_mask_slots": at_least(1),
  "model_options.backbone.transformer_ffn_channels": at_least(1),
  "model_options.decoder.feature_key": one_of("feature_semantic"),
  f"{_HEADS}.pixel_space_head.output_channels": at_least(1),
  f"{_HEADS}.pixel_space_head.head_channels": at_least(1),
  f"{_HEADS}.pixel_space_head.head_conv_type": _CONVOLUTIONS,
  f"{_HEADS}.auxiliary_low_level.*.feature_key": one_of("res3", "res2"),
  f"{_HEADS}.auxiliary_low_level.*.channels_project": at_least(1),
  f"{_HEADS}.auxiliary_semantic_head.head_channels": at_least(1),
  f"{_HEADS}.auxiliary_semantic_head.head_conv_type": _CONVOLUTIONS,
  f"{_HEADS}.instance_discrimination_sample_k": at_least(0),
  f"{_HEADS}.instance_discrimination_sample_temperature": above(0),
  f"{_HEADS}.semantic_sample_k": at_least(0),
  f"{_HEADS}.semantic_sample_temperature": above(0),
  f"{_HEADS}.initial_mask_scale": above(0),
  f"{_LOSSES}.semantic_loss.name": one_of("softmax_cross_entropy"),
  **{
    f"{_LOSSES}.{loss}.top_k_percent": above_up_to(0, 1)
    for loss in (
      "semantic_loss",
      "mask_id_cross_entropy_loss",
      "instance_discrimination_loss",
    )
  },
  f"{_LOSSES}.matching": one_of("exact", "original"),
  f"{_LOSSES}.semantic_loss.weight": at_least(0),
  f"{_LOSSES}.pq_style_loss.weight": at_least(0),
  f"{_LOSSES}.mask_id_cross_entropy_loss.weight": at_least(0),
  f"{_LOSSES}.instance_discrimination_loss.weight": at_least(0),
}

# Where the pyramid has its branches.
RULES_OF_PYRAMID = {
  "model_options.decoder.atrous_rates": Rule(
    "three numbers, such as 6, 12, 18", lambda rates: len(rates) == 3
  ),
}

RULES_WHERE_SET = {
  "model_options.backbone.memory_channels": at_least(1),
  "model_options.backbone.transformer_expansion": above(0),
}

_NO_CENTERS = "MaX-DeepLab has no instance centres"
_NO_DEPTH = "MaX-DeepLab predicts no depth"
_NO_VIDEO = "MaX-DeepLab sees one frame of one camera"
_NO_CHOICE = "there is one such loss"
_NOT_BUILT = "the backbones of MaX-DeepLab are built without"
_ONE_FORMAT = "predictions are saved as COCO panoptic results"

_DATASET_WITHOUT_EFFECT = {
  "sigma": _NO_CENTERS,
  "use_two_frames": _NO_VIDEO,
  "use_next_frame": _NO_VIDEO,
  "cameras_to_use": _NO_VIDEO,
}

WITHOUT_EFFECT = {
  **{
    f"{split}_dataset_options.{name}": reason
    for split in ("train", "eval")
    for name, reason in _DATASET_WITHOUT_EFFECT.items()
  },
  "model_options.backbone.pretrained_weights": (
    "weights come from model_options.initial_checkpoint"
  ),
  "model_options.backbone.use_squeeze_and_excite": _NOT_BUILT,
  "model_options.backbone.use_sac_beyond_stride": _NOT_BUILT,
  f"{_HEADS}.transformer_decoder_drop_path_keep_prob": (
    "it belongs to kMaX-DeepLab; see model_options.backbone.drop_path_keep_prob"
  ),
  f"{_HEADS}.pixel_space_head.max_value_after_activation": _NO_DEPTH,
  f"{_HEADS}.pixel_space_head.min_value_after_activation": _NO_DEPTH,
  f"{_HEADS}.auxiliary_semantic_head.max_value_after_activation": _NO_DEPTH,
  f"{_HEADS}.auxiliary_semantic_head.min_value_after_activation": _NO_DEPTH,
  f"{_LOSSES}.center_loss": _NO_CENTERS,
  f"{_LOSSES}.regression_loss": _NO_CENTERS,
  f"{_LOSSES}.motion_loss": _NO_VIDEO,
  f"{_LOSSES}.next_regression_loss": _NO_VIDEO,
  f"{_LOSSES}.depth_loss": _NO_DEPTH,
  **{
    f"{_LOSSES}.{loss}.name": _NO_CHOICE
    for loss in (
      "pq_style_loss",
      "mask_id_cross_entropy_loss",
      "instance_discrimination_loss",
    )
  },
  f"{_LOSSES}.pq_style_loss.top_k_percent": "it is no average over pixels",
  "evaluator_options.center_score_threshold": _NO_CENTERS,
  "evaluator_options.nms_kernel": _NO_CENTERS,
  "evaluator_options.keep_k_centers": _NO_CENTERS,
  "evaluator_options.raw_panoptic_format": _ONE_FORMAT,
  "evaluator_options.convert_raw_to_eval_ids": _ONE_FORMAT,
  "evaluator_options.add_flipped_images": (
    "mask slots of two predictions do not correspond"
  ),
  "evaluator_options.eval_scales": (
    "mask slots of two predictions do not correspond"
  ),
  "evaluator_options.detailed_ap_metrics": "average precision is not computed",
}


def max_deeplab_problems(
  experiment: ExperimentOptions, dataset: DatasetDescription | None
) -> Iterator[str]:
  """Completes the class count; a line for each thing MaX-DeepLab cannot take.

  `dataset` is that of the training, None where it could not be had.
  """
  yield from broken_rules(experiment, RULES)
  where_set = {
    path: rule
    for path, rule in RULES_WHERE_SET.items()
    if is_set(experiment, path)
  }
  yield from broken_rules(experiment, where_set)
  if not experiment.model_options.decoder.aspp_use_only_1x1_proj_conv:
    yield from broken_rules(experiment, RULES_OF_PYRAMID)
  yield from set_without_effect(experiment, WITHOUT_EFFECT)
  yield from _low_level_problems(experiment)
  yield from _missing_losses(experiment)
  for split in ("train", "eval"):
    yield from _target_problems(experiment, split)
  if dataset is not None:
    yield from _class_problems(experiment.model_options, dataset)


def _class_problems(
  options: ModelOptions, dataset: DatasetDescription
) -> Iterator[str]:
  head = options.max_deeplab.auxiliary_semantic_head
  if not head.HasField("output_channels"):
    head.output_channels = dataset.num_classes
  if head.output_channels != dataset.num_classes:
    path = f"{_HEADS}.auxiliary_semantic_head.output_channels"
    yield (
      f"{path}: expected {dataset.num_classes}, the number of classes of "
      f"'{dataset.name}'; got {head.output_channels}. Set it with --set "
      f"{path}={dataset.num_classes}"
    )
  if options.backbone.num_mask_slots >= dataset.divisor:
    yield problem(
      "model_options.backbone.num_mask_slots",
      f"less than {dataset.divisor}, the divisor of '{dataset.name}'",
      options.backbone.num_mask_slots,
    )


def _low_level_problems(experiment: ExperimentOptions) -> Iterator[str]:
  features = experiment.model_options.max_deeplab.auxiliary_low_level
  keys = [feature.feature_key for feature in features]
  if keys != [key for key in ("res3", "res2") if key in keys]:
    yield problem(
      f"{_HEADS}.auxiliary_low_level",
      "features from coarse to fine, 'res3' then 'res2'",
      keys,
    )


def _missing_losses(experiment: ExperimentOptions) -> Iterator[str]:
  losses = experiment.trainer_options.loss_options
  for name in (
    "semantic_loss",
    "pq_style_loss",
    "mask_id_cross_entropy_loss",
    "instance_discrimination_loss",
  ):
    if not losses.HasField(name):
      yield (
        f"{_LOSSES}.{name}: expected the message with its weight, 0 to leave "
        "the term out; got none."
      )


def _target_problems(
  experiment: ExperimentOptions, split: str
) -> Iterator[str]:
  """Switches that would take away what the masks are learned from."""
  options = getattr(experiment, f"{split}_dataset_options")
  for name in ("thing_id_mask_annotations", "decode_groundtruth_label"):
    if options.HasField(name) and not getattr(options, name):
      yield problem(
        f"{split}_dataset_options.{name}",
        "true or unset, MaX-DeepLab needs the labels",
        False,
      )
