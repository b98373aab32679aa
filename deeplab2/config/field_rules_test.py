import pytest

from deeplab2.config import config_pb2
from deeplab2.config.field_rules import FIELD_RULES, FILE_RULES
from deeplab2.config.fields import value_at

DATASET = "train_dataset_options"
COPY_PASTE = f"{DATASET}.augmentations.panoptic_copy_paste.panoptic_copy_paste"
SOLVER = "trainer_options.solver_options"


@pytest.mark.parametrize("path", sorted(FIELD_RULES))
def test_the_default_of_a_field_keeps_its_rule(path):
  assert FIELD_RULES[path].holds(value_at(config_pb2.ExperimentOptions(), path))


def test_both_splits_have_the_same_rules():
  train, other = (
    {path for path in FIELD_RULES if path.startswith(f"{split}_dataset")}
    for split in ("train", "eval")
  )
  assert {path.replace("train_", "eval_", 1) for path in train} == other


@pytest.mark.parametrize(
  ("path", "value", "rule"),
  [
    (f"{DATASET}.batch_size", "0", "1 or more"),
    (f"{DATASET}.max_thing_id", "0", "1 or more"),
    (f"{DATASET}.small_instance_threshold", "-4", "1 or more"),
    (f"{DATASET}.resize_factor", "-1", "0 or more"),
    (f"{DATASET}.augmentations.scale_factor_step_size", "-1", "0 or more"),
    (
      f"{COPY_PASTE}_thing_option",
      "'some'",
      "one of 'random', 'none', 'all'",
    ),
    (
      f"{DATASET}.augmentations.autoaugment_policy_name",
      "'randaugment'",
      "one of '', 'simple_classification_policy', "
      "'simple_classification_policy_magnitude_scale_0.2'",
    ),
    ("trainer_options.steps_per_loop", "0", "1 or more"),
    (
      "trainer_options.precision",
      "'float16'",
      "one of 'float32', 'mixed_bfloat16'",
    ),
    (
      f"{SOLVER}.learning_policy",
      "'step'",
      "one of 'poly', 'cosine', 'constant'",
    ),
    (f"{SOLVER}.training_number_of_steps", "0", "1 or more"),
    (f"{SOLVER}.batchnorm_momentum", "1", "0 or more and less than 1"),
    (
      "model_options.backbone.drop_path_keep_prob",
      "0",
      "more than 0 and at most 1",
    ),
    (
      "model_options.backbone.drop_path_schedule",
      "'cosine'",
      "one of 'constant', 'linear'",
    ),
    ("evaluator_options.pixel_confidence_threshold", "1.5", "0 to 1"),
    (
      "evaluator_options.transformer_post_processing",
      "'slotwise'",
      "one of 'pixelwise', 'maskwise'",
    ),
    ("evaluator_options.eval_steps", "0", "-1, or 1 and more"),
  ],
)
def test_a_value_against_the_rule_is_refused(complaint, path, value, rule):
  text = value.strip("'")
  lines = complaint(f"{path}={text}").splitlines()
  assert f"{path}: expected {rule}; got {value}." in map(str.strip, lines)


@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_split_that_is_read_has_records(complaint, split):
  path = f"{split}_dataset_options.file_pattern"
  assert set(FILE_RULES[split]) == {path}
  assert complaint(f"{path}=") == (
    f"{path}: expected at least one file or glob, such as "
    "'/data/train*.tfrecord'; got []."
  )
