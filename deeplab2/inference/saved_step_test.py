import os

import numpy as np
import pytest

from deeplab2.inference import saved_step, trained_model
from deeplab2.training import fake_architecture as fake
from deeplab2.training import nonfinite
from deeplab2.training.black_box import BlackBox
from deeplab2.training.checkpoints import model_state, value_of


@pytest.fixture
def architecture():
  return fake.build(fake.experiment())


@pytest.fixture
def folder(tmp_path, architecture):
  """What a run leaves of step 12."""
  experiment = fake.experiment()
  experiment.trainer_options.seed = 7
  box = BlackBox(
    str(tmp_path), experiment, architecture, lambda step: fake.batch(step, 4)
  )
  terms = {"mask_loss": float("nan")}
  box.record(
    nonfinite.Failure(step=12, terms=terms, squared_norms={}, learning_rates={})
  )
  return os.path.join(tmp_path, "nonfinite-step-12")


def test_a_step_is_loaded_as_it_was_saved(folder, architecture, monkeypatch):
  # The experiment of the small model is none that the checks would let pass.
  monkeypatch.setattr(
    trained_model,
    "load_experiment",
    lambda path, **options: saved_experiment(path),
  )
  monkeypatch.setattr(trained_model, "build_meta_architecture", fake.build)
  saved = saved_step.load_saved_step(folder)
  assert (saved.step, saved.seed) == (12, 7)
  assert saved.names == ["48", "49", "50", "51"]
  np.testing.assert_array_equal(saved.batch.image, fake.batch(12, 4).image)
  expected = model_state(architecture.model)
  for name, variable in model_state(saved.architecture.model).items():
    np.testing.assert_array_equal(value_of(variable), value_of(expected[name]))


def saved_experiment(path):
  from deeplab2.config import parse_experiment

  return parse_experiment(path)


def test_another_folder_is_refused(tmp_path):
  with pytest.raises(ValueError) as error:
    saved_step.load_saved_step(str(tmp_path))
  assert str(error.value) == (
    "step_dir: expected a folder nonfinite-step-<step> that a run left in its"
    f" model_dir; found no weights in {tmp_path}."
  )
