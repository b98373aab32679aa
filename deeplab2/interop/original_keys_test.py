"""The rule of names, both ways, over all variables of MaX-DeepLab-S and -L.

The lists of the original's keys are not part of the repository: DEEPLAB2_KEYS
names their folder, by default ../shared/reference/keys beside the checkout.
"""

import json
import os
import pathlib

import pytest

from deeplab2.interop.original_keys import SUFFIX, original_key, our_path

_BESIDE = pathlib.Path(__file__).resolve().parents[3] / "shared/reference/keys"
FOLDER = pathlib.Path(os.environ.get("DEEPLAB2_KEYS", _BESIDE))

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


def keys(name):
  path = FOLDER / f"{name}.json"
  if not path.is_file():
    pytest.skip(f"no list of keys {path}; set DEEPLAB2_KEYS to their folder")
  return [key.removesuffix(SUFFIX) for key in json.loads(path.read_text())]


@pytest.mark.parametrize(("path", "key"), PAIRS.items())
def test_examples(path, key):
  assert original_key(path) == key
  assert our_path(key) == path


@pytest.mark.parametrize(
  ("name", "count"), [("max_deeplab_s", 907), ("max_deeplab_l", 1672)]
)
def test_every_key_comes_back(name, count):
  listed = keys(name)
  assert len(listed) == count
  paths = [our_path(key) for key in listed]
  assert len(set(paths)) == count
  assert [original_key(path) for path in paths] == listed
  assert not any(part.startswith("_") for p in paths for part in p.split("/"))
