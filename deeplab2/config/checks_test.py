import pytest

from deeplab2.config import config_pb2
from deeplab2.config.checks import complete_and_check

SOLVER = "trainer_options.solver_options"
AUGMENTATIONS = "train_dataset_options.augmentations"
STUFF = "panoptic_copy_paste_stuff_option"


@pytest.mark.parametrize(
  "name",
  ["deeplab_v3", "panoptic_deeplab", "motion_deeplab", "vip_deeplab"],
)
def test_what_is_parsed_but_cannot_be_built_is_told(name):
  experiment = config_pb2.ExperimentOptions()
  getattr(experiment.model_options, name).SetInParent()
  assert complete_and_check(experiment, ()) == [
    "model_options: expected the options of an available meta-architecture, "
    f"max_deeplab; got {name}."
  ]


def test_an_experiment_without_a_model_is_told():
  (line,) = complete_and_check(config_pb2.ExperimentOptions(), ())
  assert line.endswith("max_deeplab; got none.")


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_numbers_are_finite(complaint, text):
  lines = complaint(f"{SOLVER}.base_learning_rate={text}").splitlines()
  assert (
    f"{SOLVER}.base_learning_rate: expected a finite number; got {text}."
    in [line.strip() for line in lines]
  )


@pytest.mark.parametrize(
  ("overrides", "text"),
  [
    (
      ["trainer_options.save_summaries_steps=75"],
      "trainer_options.save_summaries_steps: expected a multiple of "
      "steps_per_loop, 50; got 75.",
    ),
    (
      [f"{SOLVER}.clip_gradient_norm=1"],
      f"{SOLVER}.clip_gradient_norm: expected unset without "
      "use_gradient_clipping: true; got 1.",
    ),
    (
      [f"{SOLVER}.adamw_weight_decay=0.05"],
      f"{SOLVER}.adamw_weight_decay: expected unset without optimizer: "
      "'adamw'; got 0.05.",
    ),
    (
      [f"{SOLVER}.poly_learning_power=1", f"{SOLVER}.learning_policy=cosine"],
      f"{SOLVER}.poly_learning_power: expected unset without learning_policy: "
      "'poly'; got 1.",
    ),
    (
      ["evaluator_options.maskwise_postprocessing.overlapping_threshold=0.8"],
      "evaluator_options.maskwise_postprocessing: expected unset without "
      "transformer_post_processing: 'maskwise'; got {overlapping_threshold: "
      "0.8}.",
    ),
    (
      ["evaluator_options.transformer_post_processing=maskwise"],
      "evaluator_options.transformer_class_confidence_threshold: expected "
      "unset without transformer_post_processing: 'pixelwise'; got 0.5.",
    ),
    (
      ["train_dataset_options.small_instance_weight=2"],
      "train_dataset_options.small_instance_weight: expected unset without "
      "increase_small_instance_weights; got 2.",
    ),
    (
      ["train_dataset_options.small_instance_threshold=64"],
      "train_dataset_options.small_instance_threshold: expected unset without "
      "increase_small_instance_weights; got 64.",
    ),
    (
      [f"{AUGMENTATIONS}.panoptic_copy_paste.{STUFF}=all"],
      f"{AUGMENTATIONS}.panoptic_copy_paste.{STUFF}: expected unset without "
      "panoptic_copy_paste_scale; got 'all'.",
    ),
    (
      ["model_options.max_deeplab.semantic_sample_temperature=2"],
      "model_options.max_deeplab.semantic_sample_temperature: expected unset "
      "without semantic_sample_k; got 2.",
    ),
    (
      ["trainer_options.max_skipped_steps=3"],
      "trainer_options.max_skipped_steps: expected unset without "
      "nonfinite_policy: 'skip'; got 3.",
    ),
    (
      [f"{AUGMENTATIONS}.min_scale_factor=1.5"],
      f"{AUGMENTATIONS}.min_scale_factor: expected at most max_scale_factor, "
      "1.25; got 1.5.",
    ),
    (
      ["eval_dataset_options.augmentations.max_scale_factor=2"],
      "eval_dataset_options.augmentations: expected unset, evaluation changes "
      "no image; got {max_scale_factor: 2.0}.",
    ),
  ],
)
def test_options_that_contradict_each_other_are_told(
  complaint, overrides, text
):
  assert complaint(*overrides) == text


@pytest.mark.parametrize(
  "overrides",
  [
    [f"{SOLVER}.clip_gradient_norm=1", f"{SOLVER}.use_gradient_clipping=true"],
    [f"{SOLVER}.adamw_weight_decay=0.05", f"{SOLVER}.optimizer=adamw"],
    [f"{SOLVER}.learning_policy=cosine"],
    [
      "evaluator_options.transformer_post_processing=maskwise",
      "evaluator_options.maskwise_postprocessing.overlapping_threshold=0.8",
      "evaluator_options.transformer_class_confidence_threshold=",
    ],
    ["train_dataset_options.small_instance_weight=1"],
    [
      f"{AUGMENTATIONS}.panoptic_copy_paste.{STUFF}=all",
      f"{AUGMENTATIONS}.panoptic_copy_paste.panoptic_copy_paste_scale=0",
    ],
    [
      "train_dataset_options.small_instance_weight=2",
      "train_dataset_options.increase_small_instance_weights=true",
    ],
  ],
)
def test_options_that_go_together_are_taken(load, overrides):
  load(*overrides)
