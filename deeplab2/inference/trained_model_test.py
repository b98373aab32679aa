import numpy as np
import pytest
from google.protobuf import text_format

from deeplab2.config import load_experiment
from deeplab2.inference import trained_model
from deeplab2.inference.predictor import Predictor
from deeplab2.inference.trained_model import load_trained_model
from deeplab2.training import checkpoints


@pytest.fixture(autouse=True)
def _builds_the_color_model(architecture, monkeypatch):
  """A real model takes long to build, and is no different here."""
  monkeypatch.setattr(
    trained_model, "build_meta_architecture", lambda experiment: architecture
  )


@pytest.fixture
def run(architecture, dataset, tmp_path):
  """A training folder that was moved away from its data."""
  data, folder = tmp_path / "data", tmp_path / "run"
  data.mkdir()
  (data / "dataset.json").write_text(dataset.to_json())
  settings = (f"DATA_DIR={data}", "model_options.backbone.recompute_grad=true")
  experiment = load_experiment("max_deeplab_tiny", settings, search_files=False)
  state = checkpoints.model_state(architecture.model)
  kept = checkpoints.CheckpointFolder(str(folder), state)
  kept.save(3)
  kept.save(7)
  text = text_format.MessageToString(experiment)
  (folder / "experiment.textproto").write_text(text)
  (data / "dataset.json").rename(folder / "dataset.json")
  return folder


def test_a_training_folder_is_its_newest_checkpoint(run, architecture):
  colors = architecture.model.colors.numpy()
  architecture.model.colors.assign(np.zeros_like(colors))
  trained = load_trained_model(str(run))
  assert trained.checkpoint == f"{run}/ckpt-7"
  np.testing.assert_array_equal(architecture.model.colors, colors)


def test_any_checkpoint_can_be_named(run):
  assert load_trained_model(f"{run}/ckpt-3").checkpoint == f"{run}/ckpt-3"


def test_the_dataset_beside_the_checkpoint_is_used(run):
  experiment = load_trained_model(str(run)).experiment
  for options in (
    experiment.train_dataset_options,
    experiment.eval_dataset_options,
  ):
    assert options.dataset == f"{run}/dataset.json"


def test_overrides_apply_and_training_only_settings_do_not(run):
  experiment = load_trained_model(
    str(run), overrides=["eval_dataset_options.crop_size=33,65"]
  ).experiment
  assert list(experiment.eval_dataset_options.crop_size) == [33, 65]
  assert not experiment.model_options.backbone.recompute_grad


def test_predictor_loads_a_training_folder(run, picture):
  result = Predictor.load(run)(picture)
  assert result.panoptic.shape == picture.shape[:2]
  assert {s.name for s in result.segments} == {"cow", "grass", "tree"}


def test_a_checkpoint_without_its_config_is_told(run):
  (run / "experiment.textproto").unlink()
  with pytest.raises(ValueError) as error:
    load_trained_model(str(run))
  assert str(error.value) == (
    "config_file: expected the config that the checkpoint was trained with, "
    f"because there is no {run}/experiment.textproto; got none."
  )
