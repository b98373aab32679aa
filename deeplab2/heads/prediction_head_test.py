import keras
import numpy as np
import pytest

from deeplab2.heads.prediction_head import PredictionHead
from deeplab2.layers.batch_norm import NormOptions

X = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype("float32")


@pytest.mark.parametrize(
  "kind, parameters",
  [
    ("depthwise_separable_conv", 25 * 3 + 2 * 3 + 3 * 11 + 2 * 11 + 12 * 13),
    ("standard_conv", 25 * 3 * 11 + 2 * 11 + 12 * 13),
  ],
)
def test_a_5x5_convolution_and_a_1x1_with_bias(kind, parameters):
  head = PredictionHead(13, 11, NormOptions(), kind=kind)
  assert head(X).shape == (2, 5, 7, 13)
  assert sum(np.prod(v.shape) for v in head.trainable_variables) == parameters


def test_predictions_are_float32_in_mixed_precision():
  before = keras.config.dtype_policy()
  keras.config.set_dtype_policy("mixed_bfloat16")
  try:
    head = PredictionHead(13, 11, NormOptions())
    y = head(X)
  finally:
    keras.config.set_dtype_policy(before)
  assert keras.backend.standardize_dtype(y.dtype) == "float32"
  inner = head.conv_block(X)
  assert keras.backend.standardize_dtype(inner.dtype) == "bfloat16"
