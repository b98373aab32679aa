import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from deeplab2.inference import export, saved_model
from deeplab2.inference.model_folder import is_saved_model
from deeplab2.inference.preprocessing import InputFit
from deeplab2.inference.whole_image import WholeImage

# Runs a SavedModel in a process that has neither this package nor Keras.
STRANGER = """
import sys
sys.modules.update(dict.fromkeys(["deeplab2", "keras", "tf_keras", "orbit"]))
import numpy as np
import tensorflow as tf
folder, image, output = sys.argv[1:]
function = tf.saved_model.load(folder).signatures["serving_default"]
maps = function(input_tensor=tf.constant(np.load(image)))
np.save(output, maps["panoptic_pred"])
"""


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


def test_it_runs_without_this_package_and_without_keras(
  exported, trained, picture, tmp_path
):
  path, _ = exported
  np.save(tmp_path / "image.npy", picture)
  subprocess.run(
    [
      sys.executable,
      "-c",
      STRANGER,
      str(path),
      str(tmp_path / "image.npy"),
      str(tmp_path / "map.npy"),
    ],
    check=True,
    cwd=tmp_path,
    env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
  )
  fit = InputFit.from_experiment(trained.experiment)
  expected = WholeImage(trained.architecture, fit)(picture)["panoptic_pred"]
  np.testing.assert_array_equal(np.load(tmp_path / "map.npy"), expected)


def test_both_signatures_agree(exported, picture):
  import tensorflow as tf

  signatures = tf.saved_model.load(str(exported[0])).signatures
  assert set(signatures) == {saved_model.SINGLE, saved_model.BATCH}
  single = signatures["serving_default"](input_tensor=picture)
  batch = signatures["serving_batch"](input_tensor=np.stack([picture] * 2))
  for name, value in single.items():
    assert value.shape == (1, 61, 83)
    np.testing.assert_array_equal(batch[name][1], value[0])


def test_it_knows_its_classes(exported, dataset):
  path, _ = exported
  assert saved_model.read_dataset(path) == dataset
  text = (path / "assets.extra/experiment.textproto").read_text()
  assert 'experiment_name: "fields"' in text


def test_a_saved_model_of_somebody_else_has_no_classes(tmp_path):
  assert saved_model.read_dataset(tmp_path) is None


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
