"""The MaX-DeepLab network against recordings of the original library.

One network, with the weights that the recordings were made with, has to give
every endpoint that was recorded, at both sizes.
"""

import json
import os

import numpy as np
import pytest

from deeplab2.backbones.axial_resnet import AxialResNet
from deeplab2.backbones.max_deeplab_plans import max_deeplab_plan
from deeplab2.backbones.stage_factory import Scaling
from deeplab2.interop.original_keys import original_key
from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.variable_paths import variables_by_path
from tests import golden

TOLERANCE = 1e-5  # of the largest value; the recordings' own noise is 2e-6

# With these weights the attention of MaX-DeepLab-L amplifies rounding: a change
# of the image by 1e-7 moves these endpoints by as much as is allowed here.
AMPLIFIED = {
  "enc/stage5": 3e-5,
  "enc/res5": 3e-5,
  "enc/backbone_output": 3e-5,
  "enc/feature_semantic": 1e-4,
  "enc/feature_panoptic": 1e-2,
  "enc/transformer_class_feature": 5e-2,
  "enc/transformer_mask_feature": 5e-2,
  "out/semantic_logits": 1e-4,
  "out/pixel_space_normalized_feature": 1e-2,
  "out/transformer_class_logits": 5e-2,
  "out/pixel_space_mask_logits": 5e-2,
}


def endpoints(model, image, names):
  """Every tensor of those names, as the original calls them."""
  prediction = model(image)
  features = model.encoder(model.normalize(image))
  found = {
    "out/semantic_logits": prediction.semantic_logits,
    "out/pixel_space_normalized_feature": prediction.pixel_features,
    "out/transformer_class_logits": prediction.class_logits,
    "out/pixel_space_mask_logits": prediction.mask_logits,
    "enc/transformer_class_feature": features.class_feature,
    "enc/transformer_mask_feature": features.mask_feature,
  }
  for name in names:
    if name in found or not name.startswith("enc/"):
      continue
    inner = name.removeprefix("enc/")
    if inner.startswith("stage"):
      found[name] = features.maps[inner]
    else:
      found[name] = model.feature(features, inner)
  return found


def assert_endpoints_agree(model, arrays, tolerances):
  names = [name for name in arrays.files if name[:4] in ("enc/", "out/")]
  names.remove("out/semantic_probs")  # softmax of the semantic logits
  found = endpoints(model, arrays["image"], names)
  assert set(found) == set(names)
  for name in names:
    assert found[name].shape == arrays[name].shape
    error = golden.relative_error(found[name], arrays[name])
    assert error < tolerances.get(name, TOLERANCE), (name, error)


def assert_variables_are_those_of(model, arrays):
  recorded = {
    str(key): tuple(json.loads(str(shape).replace("(", "[").replace(")", "]")))
    for key, shape in zip(arrays["keys"], arrays["shapes"], strict=True)
  }
  ours = {
    original_key(path): tuple(variable.shape)
    for path, variable in variables_by_path(model).items()
  }
  assert ours == recorded


def number_of(variables):
  return sum(int(np.prod(variable.shape)) for variable in variables)


@pytest.fixture(scope="module")
def small():
  golden.recording("max_s_65x65")
  # Windows as large as any features: the recordings pooled over all of them.
  return golden.build("max_deeplab_s", (641, 641)).model


def test_variables_are_one_to_one(small):
  assert_variables_are_those_of(small, golden.recording("max_s_65x65"))


def test_parameter_counts(small):
  groups = small.parameter_groups()
  assert len(small.variables) == 907
  assert number_of(small.variables) == 77_990_256
  assert number_of(small.trainable_variables) == 77_756_942
  assert len(groups["backbone"]) == 301
  assert number_of(groups["backbone"]) == 41_343_424


@pytest.mark.parametrize("size", ["65x65", "97x129"])
def test_one_network_gives_every_endpoint_at_every_size(small, size):
  assert_endpoints_agree(small, golden.recording(f"max_s_{size}"), {})


def test_keys_of_the_large_encoder():
  """On a narrow one, which has the same keys."""
  arrays = golden.recording("max_l_65x65")
  plan = max_deeplab_plan(
    "max_deeplab_l", Scaling(width=0.0625, transformer_expansion=0.25)
  )
  encoder = AxialResNet(plan, NormOptions())
  encoder(np.zeros((1, 33, 33, 3), "float32"))
  ours = {
    original_key(f"encoder/{path}") for path in variables_by_path(encoder)
  }
  keys = {str(key) for key in arrays["keys"]}
  assert ours == {key for key in keys if key.startswith("encoder/")}


@pytest.mark.skipif(
  "DEEPLAB2_LARGE_TESTS" not in os.environ,
  reason="takes 8 GB and minutes; set DEEPLAB2_LARGE_TESTS=1",
)
def test_the_large_network():
  arrays = golden.recording("max_l_65x65")
  model = golden.build("max_deeplab_l", (641, 641)).model
  assert_variables_are_those_of(model, arrays)
  assert number_of(model.variables) == 451_622_800
  assert number_of(model.trainable_variables) == 450_871_278
  assert number_of(model.parameter_groups()["backbone"]) == 175_115_392
  assert_endpoints_agree(model, arrays, AMPLIFIED)
