import json

import pytest

from deeplab2.config import parse_experiment
from deeplab2.training import fake_architecture as fake
from deeplab2.training import model_dir


def test_the_default_directory_has_the_experiments_name():
  assert model_dir.default_model_dir(fake.experiment()) == "runs/colors"


def test_a_run_may_go_on_and_look_elsewhere(tmp_path):
  experiment = fake.experiment()
  model_dir.claim(str(tmp_path), experiment)
  experiment.evaluator_options.eval_interval = 77
  experiment.eval_dataset_options.batch_size = 77
  experiment.trainer_options.steps_per_loop = 77
  model_dir.claim(str(tmp_path), experiment)
  assert parse_experiment(tmp_path / "experiment.textproto") == experiment


def test_another_experiment_is_refused_with_the_difference(tmp_path):
  model_dir.claim(str(tmp_path), fake.experiment(warmup_steps=3))
  with pytest.raises(ValueError) as error:
    model_dir.claim(str(tmp_path), fake.experiment(warmup_steps=5))
  lines = str(error.value).splitlines()
  assert lines[0].startswith("model_dir: expected an empty directory, or one")
  assert [line for line in lines[1:] if line[0] in "+-"] == [
    "-    warmup_steps: 3",
    "+    warmup_steps: 5",
  ]


@pytest.mark.parametrize(
  "content, reason",
  [
    (b"", "it is empty"),
    (b"\xff\x00", "'utf-8' codec can't decode byte 0xff in position 0"),
    (b"experiment_na", "experiment.textproto:1:1"),
  ],
)
def test_a_garbled_description_is_named(tmp_path, content, reason):
  path = tmp_path / "experiment.textproto"
  path.write_bytes(content)
  with pytest.raises(ValueError) as error:
    model_dir.claim(str(tmp_path), fake.experiment())
  assert type(error.value) is ValueError
  said = str(error.value)
  assert said.startswith(f"model_dir: expected in {path} what a run was told;")
  assert reason in said
  assert said.endswith(
    ". If the directory is of this experiment, remove that file."
  )
  assert path.read_bytes() == content


@pytest.mark.parametrize(
  "name", ["experiment.textproto", "dataset.json", "metrics.json"]
)
def test_a_directory_where_a_file_is_to_go_is_refused(tmp_path, name):
  (tmp_path / name).mkdir()
  for check in (
    lambda: model_dir.claim(str(tmp_path), fake.experiment()),
    lambda: model_dir.check_free(str(tmp_path)),
  ):
    with pytest.raises(ValueError) as error:
      check()
    assert str(error.value) == (
      f"model_dir: expected nothing or a file at {tmp_path / name}, where runs"
      " write; got a directory."
    )
  assert [p.name for p in tmp_path.iterdir()] == [name]


def test_metrics_add_up_over_runs(tmp_path):
  model_dir.add_metrics(str(tmp_path), {"step": 1, "train": {"loss": 2.5}})
  path = model_dir.add_metrics(str(tmp_path), {"step": 2})
  assert path == str(tmp_path / "metrics.json")
  content = json.loads((tmp_path / "metrics.json").read_text())
  assert content == {"step": 2, "train": {"loss": 2.5}}
  assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]
