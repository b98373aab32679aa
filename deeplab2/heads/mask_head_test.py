import keras
import numpy as np
import pytest

from deeplab2.heads.mask_head import (
  ClassHead,
  MaskHead,
  unit_length,
  void_offset,
)
from deeplab2.layers.batch_norm import NormOptions

B, H, W, D, N, C, E = 2, 5, 7, 3, 11, 13, 17


def _inputs(seed=0):
  rng = np.random.default_rng(seed)
  shapes = ((B, H, W, D), (B, N, D), (B, N, D))
  return [rng.normal(size=shape).astype("float32") for shape in shapes]


@pytest.fixture(scope="module")
def head():
  layer = MaskHead(E, 8, C, NormOptions())
  layer(*_inputs())
  return layer


def test_shapes(head):
  masks, classes, features = head(*_inputs())
  assert masks.shape == (B, H, W, N)
  assert classes.shape == (B, N, C)
  assert features.shape == (B, H, W, E)


def test_a_new_head_says_void_with_the_prior():
  """For zero input, where the learned logits are all zero."""
  logits = np.array(ClassHead(C)(np.zeros((B, N, D), "float32")))
  probability = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  np.testing.assert_allclose(probability[..., -1], 0.9, rtol=1e-6)
  np.testing.assert_allclose(probability[..., :-1], 0.1 / (C - 1), rtol=1e-5)


def test_the_offset_of_coco():
  np.testing.assert_allclose(void_offset(134), np.log(133 * 9))


def test_mask_logits_are_scaled_products_with_unit_features(head):
  pixels, class_feature, mask_feature = _inputs()
  masks, _, features = head(pixels, class_feature, mask_feature)
  length = np.linalg.norm(features, axis=-1)
  np.testing.assert_allclose(length, np.round(length), atol=1e-5)
  assert length.mean() > 0.5  # ReLU may leave nothing of a pixel
  kernel = head.transformer_mask_head(mask_feature)
  product = np.einsum("bhwd,bnd->bhwn", features, kernel)
  np.testing.assert_allclose(masks, 0.1 * product, rtol=1e-3, atol=1e-5)


def test_the_first_scale_of_the_masks_can_be_chosen():
  head = MaskHead(E, 8, C, NormOptions(), initial_scale=3.0)
  head(*_inputs())
  np.testing.assert_allclose(head.pixel_space_mask_batch_norm.gamma, [3.0])


def test_one_scalar_scales_all_masks(head):
  assert head.pixel_space_mask_batch_norm.gamma.shape == (1,)


def test_slots_have_no_order(head):
  pixels, class_feature, mask_feature = _inputs()
  order = np.random.default_rng(1).permutation(N)
  masks, classes, _ = head(pixels, class_feature, mask_feature)
  masks2, classes2, _ = head(
    pixels, class_feature[:, order], mask_feature[:, order]
  )
  np.testing.assert_allclose(np.array(masks)[..., order], masks2, atol=1e-6)
  np.testing.assert_allclose(np.array(classes)[:, order], classes2, atol=1e-6)


def test_training_moves_every_average():
  layer = MaskHead(E, 8, C, NormOptions())
  layer(*_inputs(), training=True)
  for variable in layer.non_trainable_variables:
    still = 0.0 if variable.name == "moving_mean" else 1.0
    assert np.abs(np.array(variable) - still).max() > 0, variable.path


def test_unit_length_keeps_zero():
  y = np.array(unit_length(np.array([[0.0, 0.0], [3.0, 4.0]], "float32")))
  np.testing.assert_allclose(y, [[0, 0], [0.6, 0.8]], rtol=1e-6)


def test_everything_is_float32_in_mixed_precision():
  before = keras.config.dtype_policy()
  keras.config.set_dtype_policy("mixed_bfloat16")
  try:
    outputs = MaskHead(E, 8, C, NormOptions())(*_inputs())
  finally:
    keras.config.set_dtype_policy(before)
  kinds = [keras.backend.standardize_dtype(x.dtype) for x in outputs]
  assert kinds == ["float32"] * 3
