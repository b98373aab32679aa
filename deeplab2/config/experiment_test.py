import pytest

from deeplab2.config import config_pb2, format_textproto
from deeplab2.config.experiment import load_experiment, parse_experiment

SOLVER = "trainer_options.solver_options"


def test_a_loaded_experiment_has_no_placeholder_left(load, data_dir):
  experiment = load()
  assert "${" not in format_textproto(experiment)
  assert experiment.experiment_name == "max_deeplab_tiny"
  assert experiment.train_dataset_options.file_pattern == [
    f"{data_dir}/train*.tfrecord"
  ]


def test_a_loaded_experiment_loads_again_from_its_text(load, tmp_path):
  experiment = load("trainer_options.seed=5")
  path = tmp_path / "resolved.textproto"
  path.write_text(format_textproto(experiment))
  assert load_experiment(path) == experiment


def test_the_last_override_wins(load):
  experiment = load("trainer_options.seed=1", "trainer_options.seed=2")
  assert experiment.trainer_options.seed == 2


def test_overrides_go_before_variables_and_those_before_the_environment(
  load, data_dir, monkeypatch
):
  monkeypatch.setenv("EXPERIMENT_NAME", "environment")
  variables = {"EXPERIMENT_NAME": "variables"}
  assert load().experiment_name == "environment"
  assert load(variables=variables).experiment_name == "variables"
  experiment = load("EXPERIMENT_NAME=override", variables=variables)
  assert experiment.experiment_name == "override"


def test_a_field_that_is_overridden_needs_no_value_for_its_placeholder(
  data_dir,
):
  pattern = f"{data_dir}/train*"
  experiment = load_experiment(
    "max_deeplab_s",
    [
      f"train_dataset_options.file_pattern={pattern}",
      "INIT_CHECKPOINT=",
      f"VAL_SET={data_dir}/val*",
    ],
  )
  assert experiment.train_dataset_options.file_pattern == [pattern]
  assert not experiment.model_options.HasField("initial_checkpoint")


def test_an_override_may_hold_a_placeholder(load, data_dir):
  experiment = load("train_dataset_options.file_pattern=${DATA_DIR}/train-0*")
  assert experiment.train_dataset_options.file_pattern == [
    f"{data_dir}/train-0*"
  ]


def test_an_unknown_name_is_answered_with_the_names_there_are(complaint):
  assert complaint("TRAIN_SET=/x") == (
    "TRAIN_SET: expected a field, such as trainer_options.seed, or one of this "
    "config's placeholders (DATA_DIR, EXPERIMENT_NAME); got 'TRAIN_SET=/x'."
  )


def test_all_problems_are_told_at_once(complaint):
  text = complaint(f"{SOLVER}.optimizer=lamb", "trainer_options.seed=-1")
  head, *lines = text.splitlines()
  assert head.endswith("max_deeplab_tiny.textproto: 2 problems.")
  assert lines == [
    "  trainer_options.seed: expected 0 or more; got -1.",
    f"  {SOLVER}.optimizer: expected one of 'adam', 'adamw', 'sgd'; got "
    "'lamb'.",
  ]


def test_without_a_search_no_record_and_no_file_name_is_needed():
  experiment = load_experiment("max_deeplab_s", search_files=False)
  assert not experiment.train_dataset_options.file_pattern
  assert not experiment.model_options.HasField("initial_checkpoint")


def test_a_run_that_evaluates_needs_no_training_records(load, data_dir):
  for file in data_dir.glob("train*"):
    file.unlink()
  load(search_files=["eval"])
  with pytest.raises(ValueError, match=r"^train_dataset_options.file_pattern"):
    load()


def test_what_a_run_needs_and_does_not_have_is_asked_for(monkeypatch):
  for name in ("INIT_CHECKPOINT", "TRAIN_SET", "VAL_SET"):
    monkeypatch.delenv(name, raising=False)

  def asked(*splits):
    with pytest.raises(ValueError) as error:
      load_experiment("max_deeplab_s", search_files=splits)
    text = str(error.value)
    return {n for n in ("INIT_CHECKPOINT", "TRAIN_SET", "VAL_SET") if n in text}

  assert asked("train", "eval") == {"INIT_CHECKPOINT", "TRAIN_SET", "VAL_SET"}
  assert asked("train") == {"INIT_CHECKPOINT", "TRAIN_SET"}
  assert asked("eval") == {"VAL_SET"}


def test_an_unknown_split_is_refused(complaint):
  assert complaint(search_files=["test"]) == (
    "search_files: expected some of ('train', 'eval'); got ('test',)."
  )


def test_bare_model_options_become_an_experiment(tmp_path):
  path = tmp_path / "model.textproto"
  path.write_text(
    '# proto-message: ModelOptions\nbackbone { name: "resnet50" }'
  )
  experiment = parse_experiment(path)
  assert experiment.model_options.backbone.name == "resnet50"
  assert experiment.ListFields() == [
    (
      config_pb2.ExperimentOptions.DESCRIPTOR.fields_by_name["model_options"],
      experiment.model_options,
    )
  ]


def test_other_bare_messages_are_no_experiment(tmp_path):
  path = tmp_path / "trainer.textproto"
  path.write_text("# proto-message: TrainerOptions\nseed: 1")
  with pytest.raises(ValueError) as error:
    parse_experiment(path)
  assert str(error.value) == (
    f"{path}: expected an ExperimentOptions or a ModelOptions; got "
    "TrainerOptions."
  )


def test_parsing_checks_and_fills_nothing(tmp_path):
  path = tmp_path / "some.textproto"
  path.write_text('experiment_name: "${A}" trainer_options { seed: -1 }')
  experiment = parse_experiment(path)
  assert experiment.experiment_name == "${A}"
  assert experiment.trainer_options.seed == -1
