import numpy as np
import pytest
import tensorflow as tf

from deeplab2.inference.preprocessing import InputFit
from deeplab2.inference.whole_image import WholeImage

MAPS = {
  "panoptic_pred",
  "semantic_pred",
  "instance_pred",
  "instance_scores",
  "semantic_scores",
}
FITS = {
  "larger crop": InputFit(crop_size=(65, 97)),
  "smaller crop": InputFit(crop_size=(33, 49)),
  "any size": InputFit(),
  "enlarged": InputFit(min_size=(97, 97)),
}


def _expected(picture):
  """Class of every pixel of the picture, read off its colours."""
  return np.select(
    [picture[..., 0] == 220, picture[..., 2] == 240], [1, 3], default=2
  )


@pytest.mark.parametrize("name", sorted(FITS))
def test_maps_have_the_size_of_the_image(architecture, picture, name):
  outputs = WholeImage(architecture, FITS[name])(picture)
  assert set(outputs) == MAPS
  for output in outputs.values():
    assert output.shape == (1, *picture.shape[:2])
  for key in ("panoptic_pred", "semantic_pred", "instance_pred"):
    assert outputs[key].dtype == tf.int32
  agreement = outputs["semantic_pred"][0].numpy() == _expected(picture)
  assert agreement.mean() > 0.9


def test_panoptic_ids_are_class_and_slot(architecture, picture):
  outputs = WholeImage(architecture, InputFit())(picture)
  panoptic = outputs["panoptic_pred"][0].numpy()
  assert panoptic[15, 20] == 1 * 256 + 1
  assert panoptic[40, 60] == 3 * 256 + 3
  assert panoptic[0, 0] == 2 * 256
  assert outputs["instance_pred"][0, 0, 0] == 2


def test_padding_leaves_no_trace(architecture, picture):
  """Grey padding is like no slot; it must not come back into the image."""
  exact = WholeImage(architecture, InputFit(stride=4))(picture[:61, :81])
  padded = WholeImage(architecture, InputFit(crop_size=(129, 161)))(
    picture[:61, :81]
  )
  np.testing.assert_array_equal(
    exact["panoptic_pred"][:, :57, :77], padded["panoptic_pred"][:, :57, :77]
  )


def test_a_batch_is_its_images(architecture, picture):
  whole_image = WholeImage(architecture, InputFit(crop_size=(65, 97)))
  mirrored = picture[:, ::-1]
  outputs = whole_image.batch(np.stack([picture, mirrored]))
  for i, image in enumerate((picture, mirrored)):
    alone = whole_image(image)
    for name in MAPS:
      np.testing.assert_array_equal(outputs[name][i], alone[name][0])


def test_every_size_shares_one_trace(architecture, picture):
  whole_image = WholeImage(architecture, InputFit(crop_size=(65, 97)))
  for image in (picture, picture[:7, :11], picture[:1, :1]):
    assert whole_image(image)["panoptic_pred"].shape[1:] == image.shape[:2]
  assert whole_image.batch.experimental_get_tracing_count() == 1


def test_raw_outputs_are_the_models(architecture, picture):
  fit = InputFit(crop_size=(65, 97))
  outputs = WholeImage(architecture, fit, raw_outputs=True)(picture)
  assert outputs["pixel_space_mask_logits"].shape == (1, 17, 25, 3)
  assert outputs["transformer_class_logits"].shape == (1, 3, 4)
  assert outputs["pixel_space_normalized_feature"].shape == (1, 17, 25, 3)
  assert outputs["semantic_logits"].shape == (1, 17, 25, 4)
  probs = outputs["semantic_probs"].numpy()
  assert probs.shape == (1, 61, 83, 4)
  np.testing.assert_allclose(probs.sum(axis=-1), 1, rtol=1e-5)
  agreement = probs[0].argmax(axis=-1) == _expected(picture)
  assert agreement.mean() > 0.9


def test_the_semantic_map_can_be_left_out(architecture, picture):
  fit = InputFit(crop_size=(65, 97))
  expected = WholeImage(architecture, fit)(picture)
  found = WholeImage(architecture, fit, semantic=False)(picture)
  assert set(found) == MAPS - {"semantic_pred"}
  for name, values in found.items():
    np.testing.assert_array_equal(values, expected[name], err_msg=name)


def test_only_variables_are_tracked(architecture):
  whole_image = WholeImage(architecture, InputFit())
  assert len(whole_image.variables) == len(architecture.model.variables)
  assert not whole_image.submodules
