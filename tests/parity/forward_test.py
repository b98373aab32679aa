"""Every output of the networks in inference mode."""

import numpy as np
import pytest

from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.models.max_deeplab_architecture import max_deeplab_postprocess
from tests.parity import networks
from tests.parity.conftest import SMALL_SEED
from tests.parity.recordings import (
  MAPS,
  OUTPUTS,
  assert_near,
  below,
  prediction_of,
  recording,
)

# Of the largest value. The original differs from itself by up to 2e-6 when it
# runs with other threads or without oneDNN.
TOLERANCE = 1e-5

# The weights of `max_l` make attention amplify rounding: a change of the image
# by 1e-7 moves these outputs by as much as they may differ here.
AMPLIFIED = {
  "mask_logits": 5e-2,
  "class_logits": 5e-2,
  "pixel_features": 1e-2,
  "semantic_logits": 1e-4,
}


def assert_outputs_agree(prediction, arrays, tolerances=None):
  expected = prediction_of(arrays)
  for name in OUTPUTS:
    actual = np.asarray(getattr(prediction, name))
    assert actual.shape == getattr(expected, name).shape
    tolerance = (tolerances or {}).get(name, TOLERANCE)
    assert_near(actual, getattr(expected, name), tolerance, name)


def assert_maps_agree(maps, arrays, prefix):
  """Ids to the last pixel, probabilities within the tolerance."""
  for ours, theirs in MAPS.items():
    actual, expected = np.asarray(getattr(maps, ours)), arrays[prefix + theirs]
    if ours.endswith("score"):
      assert_near(actual, expected, 2e-5, ours)
    else:
      np.testing.assert_array_equal(actual, expected, err_msg=ours)


def test_small(small):
  arrays = recording("max_s")
  assert_outputs_agree(small.model(arrays["image"]), arrays)


def test_narrow(narrow):
  arrays = recording("narrow")
  assert_outputs_agree(narrow.model(arrays["image"]), arrays)


@pytest.mark.parametrize("name", ["max_s", "max_l"])
def test_pixelwise_merging_of_recorded_outputs(name, small):
  arrays = recording(name)
  maps = small.postprocess(prediction_of(arrays), arrays["image"].shape[1:3])
  assert len(np.unique(arrays["post/panoptic_pred"])) > 10
  assert_maps_agree(maps, arrays, "post/")


MASKWISE = "evaluator_options.maskwise_postprocessing"


@pytest.mark.parametrize("name", ["max_s", "max_l"])
def test_maskwise_merging_of_recorded_outputs(name):
  arrays = recording(name)
  options = networks.experiment(
    networks.SMALL,
    "evaluator_options.transformer_post_processing=maskwise",
    "evaluator_options.transformer_class_confidence_threshold=",
    f"{MASKWISE}.transformer_class_confidence_threshold_thing=0.3",
    f"{MASKWISE}.transformer_class_confidence_threshold_stuff=0.25",
    f"{MASKWISE}.overlapping_threshold=0.3",
    f"{MASKWISE}.reorder_class_weight=1",
    f"{MASKWISE}.reorder_mask_weight=1",
  )
  merge = max_deeplab_postprocess(options, COCO_PANOPTIC)
  maps = merge(prediction_of(arrays), arrays["image"].shape[1:3])
  assert len(np.unique(arrays["maskwise/panoptic_pred"])) > 10
  assert_maps_agree(maps, arrays, "maskwise/")


def test_large():
  arrays = recording("max_l")
  options = networks.experiment(networks.LARGE)
  large = networks.build(options, SMALL_SEED)
  prediction = large.model(arrays["image"])
  assert_outputs_agree(prediction, arrays, AMPLIFIED)


def test_recordings_are_of_networks_that_tell_things_apart():
  for name in ("max_s", "max_l"):
    outputs = below(recording(name), "out/")
    assert all(np.isfinite(value).all() for value in outputs.values())
    masks = outputs["pixel_space_mask_logits"]
    assert masks.std(axis=-1).min() > 0.1
