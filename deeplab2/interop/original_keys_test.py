"""Examples of the rule of names; tests/parity/keys_test.py has all keys."""

import pytest

from deeplab2.interop.original_keys import original_key, our_path

PAIRS = {
  "encoder/memory_feature": "encoder/memory_feature",
  "encoder/stage4/block2/shortcut/conv/kernel": (
    "encoder/_stage4/_block2/_shortcut/_conv/kernel"
  ),
  "semantic_head/conv_block/conv1_bn_act/depthwise/depthwise_conv/kernel": (
    "semantic_head_without_last_layer/_conv1_bn_act/_depthwise/_depthwise_conv"
    "/depthwise_kernel"
  ),
  "semantic_head/final_conv/bias": "semantic_last_layer/bias",
  "semantic_decoder/aspp/aspp_pool/conv/kernel": (
    "semantic_decoder/_aspp/_aspp_pool/_conv/kernel"
  ),
  "mask_head/pixel_space_head/conv_block/conv1_bn_act/pointwise/conv/kernel": (
    "pixel_space_head/conv_block/_conv1_bn_act/_pointwise/_conv/kernel"
  ),
  "mask_head/pixel_space_mask_batch_norm/gamma": (
    "pixel_space_mask_batch_norm/gamma"
  ),
}


@pytest.mark.parametrize(("path", "key"), PAIRS.items())
def test_examples(path, key):
  assert original_key(path) == key
  assert our_path(key) == path
