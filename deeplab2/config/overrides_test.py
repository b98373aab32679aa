import pytest

from deeplab2.config import config_pb2
from deeplab2.config.fields import value_at
from deeplab2.config.overrides import apply_override, split_assignment

SOLVER = "trainer_options.solver_options"


@pytest.fixture
def experiment():
  message = config_pb2.ExperimentOptions()
  message.model_options.max_deeplab.auxiliary_low_level.add(feature_key="res3")
  message.train_dataset_options.crop_size.extend([17, 33])
  return message


def complaint(experiment, path, value):
  with pytest.raises(ValueError) as error:
    apply_override(experiment, path, value)
  return str(error.value)


@pytest.mark.parametrize(
  ("path", "text", "value"),
  [
    ("experiment_name", "a b", "a b"),
    ("trainer_options.seed", "7", 7),
    (f"{SOLVER}.base_learning_rate", "5e-1", 0.5),
    (f"{SOLVER}.use_sync_batchnorm", "False", False),
    (f"{SOLVER}.use_gradient_clipping", "1", True),
    ("train_dataset_options.crop_size", "129, 257", [129, 257]),
    ("train_dataset_options.file_pattern", "/a/b*,/c", ["/a/b*", "/c"]),
    (
      "model_options.max_deeplab.auxiliary_low_level.0.channels_project",
      "5",
      5,
    ),
  ],
)
def test_text_becomes_a_value_of_the_fields_type(experiment, path, text, value):
  apply_override(experiment, path, text)
  assert value_at(experiment, path) == value


def test_an_empty_value_goes_back_to_the_default(experiment):
  experiment.trainer_options.seed = 3
  apply_override(experiment, "trainer_options.seed", "")
  apply_override(experiment, "train_dataset_options.crop_size", "")
  assert not experiment.trainer_options.HasField("seed")
  assert not experiment.train_dataset_options.crop_size


def test_a_path_value_may_hold_equal_signs():
  assert split_assignment("a.b=c=d") == ("a.b", "c=d")


@pytest.mark.parametrize("text", ["trainer_options.seed", "=3", " =3"])
def test_an_assignment_has_a_name_and_a_value(text):
  with pytest.raises(ValueError) as error:
    split_assignment(text)
  assert str(error.value) == (
    "set: expected path.to.field=value, such as trainer_options.seed=1, or "
    f"NAME=value; got '{text}'."
  )


def test_an_unknown_field_is_answered_with_the_fields_there_are(experiment):
  fields = config_pb2.TrainerOptions.DESCRIPTOR.fields_by_name
  assert complaint(experiment, "trainer_options.sed", "1") == (
    "trainer_options.sed: expected a field of TrainerOptions, perhaps seed, "
    f"one of {', '.join(sorted(fields))}; got 'sed'."
  )


@pytest.mark.parametrize(
  ("path", "value", "text"),
  [
    (
      "trainer_options.seed",
      "1.5",
      "trainer_options.seed: expected a whole number, such as 8; got '1.5'.",
    ),
    (
      "trainer_options.seed",
      "2147483648",
      "trainer_options.seed: expected a number of 32 bits; got 2147483648.",
    ),
    (
      f"{SOLVER}.weight_decay",
      "low",
      f"{SOLVER}.weight_decay: expected a number, such as 0.001; got 'low'.",
    ),
    (
      "trainer_options.jit_compile",
      "yes",
      "trainer_options.jit_compile: expected true or false; got 'yes'.",
    ),
    (
      "train_dataset_options.crop_size",
      "129,x",
      "train_dataset_options.crop_size: expected a whole number, such as 8; "
      "got 'x'.",
    ),
    (
      "trainer_options.seed.x",
      "1",
      "trainer_options.seed: expected a message to go into; it is a value.",
    ),
    (
      "model_options.max_deeplab.auxiliary_low_level.1.channels_project",
      "1",
      "model_options.max_deeplab.auxiliary_low_level.1: expected the number of "
      "one of 1 items, counted from 0; got '1'.",
    ),
    (
      "model_options.vip_deeplab.instance.enable",
      "true",
      "model_options.vip_deeplab: expected a field of max_deeplab, the "
      "meta_architecture of this config; got one of vip_deeplab.",
    ),
    (
      "trainer_options.loss_options.depth_loss",
      "1",
      "trainer_options.loss_options.depth_loss: expected a field inside it, "
      "one of name, top_k_percent, weight; got '1'.",
    ),
    (
      "model_options.max_deeplab.auxiliary_low_level.0",
      "1",
      "model_options.max_deeplab.auxiliary_low_level.0: expected the number of "
      "an item and a field of it, such as auxiliary_low_level.0.NAME; got '1'.",
    ),
  ],
)
def test_what_does_not_fit_is_named(experiment, path, value, text):
  before = config_pb2.ExperimentOptions.FromString(
    experiment.SerializeToString()
  )
  assert complaint(experiment, path, value) == text
  assert experiment == before
