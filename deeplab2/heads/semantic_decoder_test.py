import numpy as np

from deeplab2.heads.semantic_decoder import DecoderOptions, SemanticDecoder
from deeplab2.layers.batch_norm import NormOptions

OPTIONS = DecoderOptions(
  channels=11,
  aspp_channels=5,
  atrous_rates=(1, 2, 3),
  low_level_channels=(7, 3),
)


def _features(height, width, seed=0):
  rng = np.random.default_rng(seed)
  return [
    rng.normal(size=(2, (height - 1) // s + 1, (width - 1) // s + 1, d)).astype(
      "float32"
    )
    for s, d in ((16, 4), (8, 3), (4, 2))
  ]


def test_the_result_has_the_size_of_the_finest_feature():
  decoder = SemanticDecoder(OPTIONS, NormOptions())
  deep, *shallow = _features(33, 17)
  assert decoder(deep, shallow).shape == (2, 9, 5, 11)
  deep, *shallow = _features(17, 49)
  assert decoder(deep, shallow).shape == (2, 5, 13, 11)


def test_every_feature_matters():
  decoder = SemanticDecoder(OPTIONS, NormOptions())
  features = _features(33, 17)
  before = np.array(decoder(features[0], features[1:]))
  for i in range(3):
    changed = [f + (1.0 if i == j else 0.0) for j, f in enumerate(features)]
    after = np.array(decoder(changed[0], changed[1:]))
    assert np.abs(before - after).max() > 1e-3


def test_fusion_narrows_the_shallow_features_first():
  decoder = SemanticDecoder(OPTIONS, NormOptions())
  deep, *shallow = _features(33, 17)
  decoder(deep, shallow)
  depthwise = decoder.fusion_conv1.conv1_bn_act.depthwise.depthwise_conv
  assert tuple(depthwise.kernel.shape) == (5, 5, 5 + 7, 1)
  depthwise = decoder.fusion_conv2.conv1_bn_act.depthwise.depthwise_conv
  assert tuple(depthwise.kernel.shape) == (5, 5, 11 + 3, 1)
