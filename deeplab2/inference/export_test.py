import dataclasses
import os

import numpy as np
import pytest

from deeplab2.inference import export
from deeplab2.inference.model_folder import is_saved_model
from deeplab2.inference.preprocessing import InputFit
from deeplab2.inference.whole_image import WholeImage


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
  path = tmp_path_factory.mktemp("models") / "runs" / "exported"
  report = export.export_saved_model(trained, path)
  return path, report


def test_report_has_what_was_measured(exported):
  _, report = exported
  assert report.equal >= export.LEAST_EQUAL
  assert report.score_difference < 1e-4
  assert min(report.first_seconds, report.seconds, report.keras_seconds) > 0
  assert str(report).startswith("100.0000% of the pixels as in the Keras model")


def test_only_the_saved_model_appears(exported):
  path, _ = exported
  assert os.listdir(path.parent) == ["exported"]
  assert is_saved_model(path)


def test_a_saved_model_is_replaced_only_on_demand(exported, trained):
  path, _ = exported
  before = (path / "saved_model.pb").stat().st_mtime_ns
  with pytest.raises(ValueError, match="--overwrite to replace the SavedModel"):
    export.export_saved_model(trained, path)
  assert (path / "saved_model.pb").stat().st_mtime_ns == before
  export.export_saved_model(trained, path, overwrite=True)
  assert (path / "saved_model.pb").stat().st_mtime_ns > before


def test_an_export_that_disagrees_does_not_appear(
  trained, tmp_path, monkeypatch
):
  measured = export.compare

  def pessimist(*args):
    return dataclasses.replace(measured(*args), equal=0.5)

  monkeypatch.setattr(export, "compare", pessimist)
  with pytest.raises(RuntimeError, match="disagree: 50"):
    export.export_saved_model(trained, tmp_path / "exported")
  assert not list(tmp_path.iterdir())


def test_comparison_sees_another_model(exported, trained, picture):
  """The report is a measurement: changed weights change it."""
  path, _ = exported
  model = trained.architecture.model
  colors = model.colors.numpy()
  model.colors.assign(np.roll(colors, 1, axis=0))
  fit = InputFit.from_experiment(trained.experiment)
  whole_image = WholeImage(trained.architecture, fit)
  report = export.compare(whole_image, path, [picture])
  model.colors.assign(colors)
  assert report.equal < 0.1
