import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from deeplab2.inference import export
from deeplab2.inference.predictor import Predictor
from deeplab2.inference.preprocessing import InputFit
from deeplab2.inference.whole_image import WholeImage


@pytest.fixture(scope="module")
def predictor(architecture, dataset):
  fit = InputFit(crop_size=(65, 97))
  return Predictor(WholeImage(architecture, fit), dataset)


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
  path = tmp_path_factory.mktemp("models") / "exported"
  export.export_saved_model(trained, path)
  return path


def test_segments_are_what_the_picture_shows(predictor, picture):
  result = predictor(picture)
  assert [s.name for s in result.segments] == ["grass", "cow", "tree"]
  _, cow, tree = result.segments
  assert cow.id == 257
  assert cow.area == np.count_nonzero(result.panoptic == 257)
  x, y, width, height = cow.box
  assert abs(x - 12) <= 2
  assert abs(y - 8) <= 2
  assert abs(width - 29) <= 4
  assert abs(height - 21) <= 4
  assert tree.is_thing
  assert 0.9 < cow.score <= 1


def test_the_map_has_the_images_own_size_and_type(predictor, picture):
  for image in (picture, picture[:31, :7], np.tile(picture, (3, 2, 1))):
    result = predictor(image)
    assert result.panoptic.shape == image.shape[:2]
    assert result.panoptic.dtype == np.int32
    np.testing.assert_array_equal(result.image, image)


def test_array_picture_and_file_agree(predictor, picture, tmp_path):
  path = tmp_path / "picture.png"
  Image.fromarray(picture).save(path)
  expected = predictor(picture).panoptic
  for image in (Image.fromarray(picture), path, str(path)):
    np.testing.assert_array_equal(predictor(image).panoptic, expected)


def test_a_saved_model_predicts_as_the_model_did(exported, predictor, picture):
  loaded = Predictor.load(exported)
  assert loaded.dataset == predictor.dataset
  result, expected = loaded(picture), predictor(picture)
  np.testing.assert_array_equal(result.panoptic, expected.panoptic)
  assert result.segments == expected.segments


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"overrides": ["a.b=1"]}, "overrides: {}; got ['a.b=1'] for "),
    (
      {"config_file": "max_deeplab_s"},
      "config_file: {}; got max_deeplab_s for ",
    ),
    ({"full_size": True}, "full_size: {}; got True for "),
  ],
)
def test_settings_cannot_change_a_saved_model(exported, settings, message):
  rule = (
    "expected none with a SavedModel, whose settings are those it was exported "
    "with"
  )
  with pytest.raises(ValueError) as error:
    Predictor.load(exported, **settings)
  assert str(error.value) == message.format(rule) + f"{exported}."


class _Foreign(tf.Module):
  """As google-research/deeplab2 exports: the same names, no description."""

  @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
  def __call__(self, input_tensor):
    shape = tf.concat([[1], tf.shape(input_tensor)[:2]], axis=0)
    return {
      "panoptic_pred": tf.fill(shape, 256 + 1),
      "instance_scores": tf.fill(shape, 0.5),
      "semantic_scores": tf.fill(shape, 0.5),
    }


def test_a_model_of_the_original_library_takes_its_classes_from_a_config(
  tmp_path,
):
  module = _Foreign()
  signature = module.__call__.get_concrete_function()
  tf.saved_model.save(module, str(tmp_path), signatures=signature)
  with pytest.raises(ValueError, match=r"^config_file: expected a config that"):
    Predictor.load(tmp_path)
  predictor = Predictor.load(tmp_path, config_file="max_deeplab_s")
  (person,) = predictor(np.zeros((5, 7, 3), np.uint8)).segments
  assert (person.name, person.area, person.score) == ("person", 35, 0.25)


def test_outputs_of_another_kind_are_refused(dataset):
  predictor = Predictor(lambda image: {"logits": image}, dataset)
  with pytest.raises(TypeError, match=r"^model: .*; got \['logits'\]\.$"):
    predictor(np.zeros((5, 7, 3), np.uint8))


def test_what_is_not_there_is_told(tmp_path):
  with pytest.raises(ValueError) as error:
    Predictor.load(tmp_path / "ckpt-7")
  assert str(error.value) == (
    "path: expected a training folder, the prefix of a checkpoint, such as "
    "runs/demo/ckpt-1000, its archive, or the folder of a SavedModel; got "
    f"{tmp_path}/ckpt-7."
  )


def test_a_folder_of_nothing_is_told(tmp_path):
  with pytest.raises(ValueError, match=r"^checkpoint: .* found none at "):
    Predictor.load(tmp_path)


def test_wrong_images_are_told(predictor):
  with pytest.raises(ValueError, match=r"^image: .*; got float64\.$"):
    predictor(np.zeros((5, 7, 3)))
