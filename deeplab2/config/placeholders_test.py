from deeplab2.config import config_pb2
from deeplab2.config.placeholders import (
  clear_unfilled,
  fill_placeholders,
  placeholder_names,
)

PATTERN = "train_dataset_options.file_pattern"


def experiment():
  message = config_pb2.ExperimentOptions(experiment_name="${A}-${B}")
  message.train_dataset_options.file_pattern.extend(["/x", "${B}/y"])
  message.model_options.initial_checkpoint = "${INIT_CHECKPOINT}"
  return message


def test_all_names_are_found():
  assert placeholder_names(experiment()) == {"A", "B", "INIT_CHECKPOINT"}


def test_values_take_the_place_of_names():
  message = experiment()
  values = {"A": "1", "B": "2", "INIT_CHECKPOINT": "/c"}
  assert fill_placeholders(message, values) == []
  assert message.experiment_name == "1-2"
  assert message.train_dataset_options.file_pattern == ["/x", "2/y"]
  assert message.model_options.initial_checkpoint == "/c"


def test_an_empty_value_clears_its_field():
  message = experiment()
  fill_placeholders(message, {"A": "", "B": "", "INIT_CHECKPOINT": ""})
  assert not message.model_options.HasField("initial_checkpoint")
  assert message.experiment_name == "-"


def test_each_missing_value_is_asked_for_once():
  lines = fill_placeholders(experiment(), {"A": "1"})
  assert lines == [
    "B: expected a value for ${B} in experiment_name, "
    f"{PATTERN}, such as --set B=..., or in the environment; got none.",
    "INIT_CHECKPOINT: expected a value for ${INIT_CHECKPOINT} in "
    "model_options.initial_checkpoint, such as --set INIT_CHECKPOINT=... "
    "(empty starts from random weights), or in the environment; got none.",
  ]


def test_a_value_is_not_searched_for_names():
  message = config_pb2.ExperimentOptions(experiment_name="${A}")
  assert fill_placeholders(message, {"A": "${B}"}) == []
  assert message.experiment_name == "${B}"


def test_only_unfilled_fields_that_nobody_reads_are_cleared():
  message = experiment()
  clear_unfilled(message, {PATTERN, "experiment_name"}, {"A": "1", "B": "2"})
  assert message == experiment()
  clear_unfilled(message, {PATTERN}, {"A": "1"})
  assert not message.train_dataset_options.file_pattern
  assert message.experiment_name == "${A}-${B}"
