import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.inference import saved_model
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
def whole_image(trained):
  fit = InputFit.from_experiment(trained.experiment)
  return WholeImage(trained.architecture, fit)


@pytest.fixture(scope="module")
def folder(trained, whole_image, tmp_path_factory):
  path = tmp_path_factory.mktemp("models")
  dataset = trained.architecture.dataset
  saved_model.write_saved_model(whole_image, dataset, trained.experiment, path)
  return path


def test_it_is_read_as_the_function_that_was_saved(
  folder, whole_image, picture
):
  read = saved_model.read_saved_model(folder)(picture)
  expected = whole_image(picture)
  assert set(read) == set(expected)
  for name, value in expected.items():
    np.testing.assert_array_equal(read[name], value)


def test_it_runs_without_this_package_and_without_keras(
  folder, whole_image, picture, tmp_path
):
  np.save(tmp_path / "image.npy", picture)
  subprocess.run(
    [
      sys.executable,
      "-c",
      STRANGER,
      str(folder),
      str(tmp_path / "image.npy"),
      str(tmp_path / "map.npy"),
    ],
    check=True,
    cwd=tmp_path,
    env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
  )
  expected = whole_image(picture)["panoptic_pred"]
  np.testing.assert_array_equal(np.load(tmp_path / "map.npy"), expected)


def test_both_signatures_agree(folder, picture):
  loaded = tf.saved_model.load(str(folder))
  signatures = loaded.signatures
  assert set(signatures) == {saved_model.SINGLE, saved_model.BATCH}
  single = signatures["serving_default"](input_tensor=picture)
  batch = signatures["serving_batch"](input_tensor=np.stack([picture] * 2))
  for name, value in single.items():
    assert value.shape == (1, 61, 83)
    np.testing.assert_array_equal(batch[name][1], value[0])


def test_it_knows_its_classes(folder, dataset):
  assert saved_model.read_dataset(folder) == dataset
  text = (folder / "assets.extra/experiment.textproto").read_text()
  assert 'experiment_name: "fields"' in text


def test_a_saved_model_of_somebody_else_has_no_classes(tmp_path):
  assert saved_model.read_dataset(tmp_path) is None


@pytest.mark.parametrize("name", ["image", "input_tensor"])
def test_other_signatures_are_refused(tmp_path, name):
  module = tf.Module()
  spec = tf.TensorSpec([None], tf.float32, name)
  names = {"image": "serving_default", "input_tensor": "other"}
  function = tf.function(lambda x: {"y": x}, input_signature=[spec])
  tf.saved_model.save(module, str(tmp_path), signatures={names[name]: function})
  with pytest.raises(
    ValueError, match=r"^path: expected a SavedModel with the"
  ):
    saved_model.read_saved_model(tmp_path)
