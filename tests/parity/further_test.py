"""Further recordings, in the folder that DEEPLAB2_RECORDINGS names.

Each `max_*.npz` in it holds `config` ("max_s" or "max_l"), `seed`, `image` and
whatever of enc/, out/, post/, gt/, loss/, keys and shapes it likes, whole.
"""

import os
import pathlib

import numpy as np
import pytest

from deeplab2.interop.original_keys import original_key
from deeplab2.layers.variable_paths import variables_by_path
from tests.parity import networks
from tests.parity.forward_test import (
  assert_endpoints_agree,
  assert_maps_agree,
  assert_outputs_agree,
)
from tests.parity.recordings import below, prediction_of, shapes_of
from tests.parity.training_test import LOSS, assert_losses_agree, losses

FOLDER = os.environ.get("DEEPLAB2_RECORDINGS")
FILES = sorted(pathlib.Path(FOLDER).glob("max_*.npz")) if FOLDER else []
CONFIGS = {"max_s": networks.SMALL, "max_l": networks.LARGE}

# As much as the original differs from itself, see g3doc/parity.md.
ROUNDING_OF_LARGE = {
  "stage4": 2e-5,
  "stage5": 2e-5,
  "res4": 2e-5,
  "res5": 2e-5,
  "backbone_output": 2e-5,
  "feature_semantic": 4e-5,
  "feature_panoptic": 3e-3,
  "transformer_class_feature": 2e-2,
  "transformer_mask_feature": 2e-2,
  "mask_logits": 3e-2,
  "class_logits": 2e-2,
  "pixel_features": 4e-3,
  "semantic_logits": 4e-5,
}

WHOLE = 10**9  # entries at most: all there are

pytestmark = pytest.mark.skipif(
  not FILES, reason="DEEPLAB2_RECORDINGS names no folder of recordings"
)


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.stem)
def case(request):
  """(arrays, architecture with their weights), of a file."""
  arrays = np.load(request.param)
  size = arrays["image"].shape[1:3]
  options = networks.experiment(CONFIGS[str(arrays["config"])], size=size)
  return arrays, networks.build(options, int(arrays["seed"]))


def test_variables(case):
  arrays, architecture = case
  ours = {
    original_key(path): tuple(variable.shape)
    for path, variable in variables_by_path(architecture.model).items()
  }
  assert ours == shapes_of(arrays["keys"], arrays["shapes"])


def test_forward_pass(case):
  arrays, architecture = case
  if not below(arrays, "enc/"):
    pytest.skip("holds no endpoints of the inference mode")
  tolerances = ROUNDING_OF_LARGE if str(arrays["config"]) == "max_l" else {}
  model, image = architecture.model, arrays["image"]
  assert_outputs_agree(model(image), arrays, tolerances)
  assert_endpoints_agree(model, arrays, WHOLE, tolerances)


def test_merging_of_recorded_outputs(case):
  arrays, architecture = case
  if not below(arrays, "post/"):
    pytest.skip("holds no panoptic maps")
  size = arrays["image"].shape[1:3]
  maps = architecture.postprocess(prediction_of(arrays), size)
  assert_maps_agree(maps, arrays, "post/")


def test_losses_of_recorded_outputs(case):
  arrays, architecture = case
  expected = below(arrays, "loss/")
  if not expected:
    pytest.skip("holds no losses")
  found = losses(architecture, arrays, prediction_of(arrays))
  assert_losses_agree(found, expected, LOSS)
