"""What each field may hold, whatever the meta-architecture.

A field that is not here may hold anything of its type.
"""

import re

from deeplab2.config.rules import (
  Rule,
  above,
  above_up_to,
  all_or_at_least,
  at_least,
  each,
  one_of,
  within,
)

AUTOAUGMENT_POLICIES = (
  "simple_classification_policy",
  "simple_classification_policy_magnitude_scale_0.2",
)
_PASTE = one_of("random", "none", "all")
_BELOW_ONE = Rule("0 or more and less than 1", lambda value: 0 <= value < 1)
_NOT_EMPTY = Rule(
  "at least one file or glob, such as '/data/train*.tfrecord'", bool
)


def _is_pattern(text: str) -> bool:
  try:
    re.compile(text)
  except re.error:
    return False
  return True


_PATTERNS = each(
  Rule("a regular expression, such as 'semantic_decoder/'", _is_pattern)
)
_RESIZE = Rule("no, one or two numbers", lambda values: len(values) <= 2)

DATASET_RULES = {
  "batch_size": at_least(1),
  "min_resize_value": _RESIZE,
  "max_resize_value": _RESIZE,
  "resize_factor": at_least(0),
  "augmentations.min_scale_factor": above(0),
  "augmentations.max_scale_factor": above(0),
  "augmentations.scale_factor_step_size": at_least(0),
  "augmentations.autoaugment_policy_name": one_of("", *AUTOAUGMENT_POLICIES),
  "augmentations.panoptic_copy_paste.panoptic_copy_paste_scale": at_least(0),
  "augmentations.panoptic_copy_paste.panoptic_copy_paste_thing_option": _PASTE,
  "augmentations.panoptic_copy_paste.panoptic_copy_paste_stuff_option": _PASTE,
  "augmentations.panoptic_copy_paste.panoptic_copy_paste_void_option": _PASTE,
  "small_instance_threshold": at_least(1),
  "small_instance_weight": above(0),
  "max_thing_id": at_least(1),
  "max_bad_records": at_least(0),
}

MODEL_RULES = {
  "backbone.drop_path_keep_prob": above_up_to(0, 1),
  "backbone.drop_path_schedule": one_of("constant", "linear"),
  "backbone.stem_width_multiplier": above(0),
  "backbone.backbone_width_multiplier": above(0),
  "backbone.backbone_layer_multiplier": above(0),
  "decoder.decoder_channels": at_least(1),
  "decoder.decoder_conv_type": one_of(
    "depthwise_separable_conv", "standard_conv"
  ),
  "decoder.aspp_channels": at_least(1),
  "decoder.atrous_rates": each(at_least(1)),
  "initial_checkpoint_allow_missing": _PATTERNS,
  "initial_checkpoint_allow_unused": _PATTERNS,
}

TRAINER_RULES = {
  "num_checkpoints_to_keep": at_least(1),
  "save_checkpoints_steps": at_least(1),
  "save_summaries_steps": at_least(1),
  "steps_per_loop": at_least(1),
  "seed": at_least(0),
  "gradient_accumulation_steps": at_least(1),
  "ema_decay": _BELOW_ONE,
  "precision": one_of("float32", "mixed_bfloat16"),
  "nonfinite_policy": one_of("stop", "skip"),
  "max_skipped_steps": at_least(1),
  "solver_options.batchnorm_momentum": _BELOW_ONE,
  "solver_options.batchnorm_epsilon": above(0),
  "solver_options.learning_policy": one_of("poly", "cosine", "constant"),
  "solver_options.base_learning_rate": above(0),
  "solver_options.poly_learning_power": above(0),
  "solver_options.poly_end_learning_rate": at_least(0),
  "solver_options.warmup_steps": at_least(0),
  "solver_options.optimizer": one_of("adam", "adamw", "sgd"),
  "solver_options.weight_decay": at_least(0),
  "solver_options.adamw_weight_decay": at_least(0),
  "solver_options.clip_gradient_norm": above(0),
  "solver_options.training_number_of_steps": at_least(1),
  "solver_options.backbone_learning_rate_multiplier": at_least(0),
}

EVALUATOR_RULES = {
  "eval_steps": all_or_at_least(1),
  "eval_interval": at_least(1),
  "continuous_eval_timeout": all_or_at_least(1),
  "stuff_area_limit": at_least(0),
  "thing_area_limit": at_least(0),
  "transformer_class_confidence_threshold": within(0, 1),
  "pixel_confidence_threshold": within(0, 1),
  "transformer_post_processing": one_of("pixelwise", "maskwise"),
  "maskwise_postprocessing.transformer_class_confidence_threshold_thing": (
    within(0, 1)
  ),
  "maskwise_postprocessing.transformer_class_confidence_threshold_stuff": (
    within(0, 1)
  ),
  "maskwise_postprocessing.overlapping_threshold": within(0, 1),
  "maskwise_postprocessing.reorder_class_weight": at_least(0),
  "maskwise_postprocessing.reorder_mask_weight": at_least(0),
  "num_vis_samples": at_least(0),
}


def _below(prefix: str, rules: dict[str, Rule]) -> dict[str, Rule]:
  return {f"{prefix}.{path}": rule for path, rule in rules.items()}


FIELD_RULES = {
  **_below("model_options", MODEL_RULES),
  **_below("trainer_options", TRAINER_RULES),
  **_below("train_dataset_options", DATASET_RULES),
  **_below("eval_dataset_options", DATASET_RULES),
  **_below("evaluator_options", EVALUATOR_RULES),
}

FILE_RULES = {
  "train": {"train_dataset_options.file_pattern": _NOT_EMPTY},
  "eval": {"eval_dataset_options.file_pattern": _NOT_EMPTY},
}
