"""A network of a few numbers with the parts that the original names."""

import keras
import numpy as np
import pytest

from deeplab2.layers.batch_norm import BatchNorm, NormOptions
from deeplab2.layers.variable_paths import variables_by_path

# Distinct primes, but for the square kernel of `stage5_extra`.
STEM, EXTRA = 5, 5


class _ConvNorm(keras.layers.Layer):
  def __init__(self, filters):
    super().__init__()
    self.conv = keras.layers.Conv2D(filters, 1, use_bias=False)
    self.batch_norm = BatchNorm(NormOptions())

  def call(self, x):
    return self.batch_norm(self.conv(x))


class _Depthwise(keras.layers.Layer):
  def __init__(self):
    super().__init__()
    self.depthwise_conv = keras.layers.DepthwiseConv2D(3, padding="same")

  def call(self, x):
    return self.depthwise_conv(x)


class _Encoder(keras.layers.Layer):
  def __init__(self):
    super().__init__()
    self.stem = _ConvNorm(STEM)
    self.stage5_extra = _ConvNorm(EXTRA)

  def call(self, x):
    return self.stage5_extra(self.stem(x))


class _SemanticHead(keras.layers.Layer):
  def __init__(self, classes):
    super().__init__()
    self.conv_block = _Depthwise()
    self.final_conv = keras.layers.Conv2D(classes, 1)

  def call(self, x):
    return self.final_conv(self.conv_block(x))


class _ClassHead(keras.layers.Layer):
  def __init__(self, channels):
    super().__init__()
    self.conv = keras.layers.Dense(channels)

  def call(self, x):
    return self.conv(x)


class _MaskHead(keras.layers.Layer):
  def __init__(self, channels):
    super().__init__()
    self.transformer_class_head = _ClassHead(channels)

  def call(self, x):
    return self.transformer_class_head(x)


class _Network(keras.Model):
  def __init__(self, classes, channels):
    super().__init__()
    self.encoder = _Encoder()
    self.semantic_head = _SemanticHead(classes)
    self.mask_head = _MaskHead(channels)

  def call(self, x):
    x = self.encoder(x)
    return self.semantic_head(x), self.mask_head(x)

  def parameter_groups(self):
    backbone = self.encoder.stem.trainable_variables
    ids = {id(v) for v in backbone}
    rest = [v for v in self.trainable_variables if id(v) not in ids]
    return {"backbone": backbone, "rest": rest}

  def class_layers(self):
    return {
      "class_ids": [self.semantic_head.final_conv],
      "channels": [self.mask_head.transformer_class_head],
    }


def build_network(seed=0, classes=7, channels=11):
  """The network, every variable of which holds numbers of its own."""
  network = _Network(classes, channels)
  network(np.zeros((1, 2, 2, 3), np.float32))
  rng = np.random.default_rng(seed)
  for variable in network.variables:
    variable.assign(rng.standard_normal(variable.shape).astype(np.float32))
  return network


def values_of(network):
  return {p: v.numpy() for p, v in variables_by_path(network).items()}


@pytest.fixture
def network():
  return build_network
