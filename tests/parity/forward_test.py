"""Every output of the networks in inference mode."""

import numpy as np
import pytest

from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.models.max_deeplab_architecture import max_deeplab_postprocess
from tests.parity import networks
from tests.parity.recordings import (
  MAPS,
  OUTPUTS,
  assert_near,
  below,
  prediction_of,
  recording,
  thinned,
)
from tests.parity.training_test import LOSS, assert_losses_agree, losses

ENTRIES = 2048  # that were recorded of an endpoint, at most

# Of the largest value. The original differs from itself by up to 2e-6 when it
# runs with other threads or without oneDNN.
TOLERANCE = 1e-5

OURS = {theirs: ours for ours, theirs in OUTPUTS.items()}


def endpoint(model, features, name):
  """What the original's encoder returns under that name."""
  if name.startswith("stage"):
    return features.maps[name]
  kind = name.removeprefix("transformer_")
  if kind in ("class_feature", "mask_feature"):
    return getattr(features, kind)
  return model.feature(features, name)


def assert_endpoints_agree(model, arrays, at_most, tolerances=None):
  """Of the encoder; `at_most` entries of each were recorded."""
  features = model.encoder(model.normalize(arrays["image"]))
  for name, expected in below(arrays, "enc/").items():
    actual = thinned(endpoint(model, features, name), at_most)
    tolerance = (tolerances or {}).get(name, TOLERANCE)
    assert_near(actual, expected.ravel(), tolerance, name)


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
  assert_endpoints_agree(small.model, arrays, ENTRIES)


def assert_entries_agree(architecture, arrays):
  """All that a recording of entries holds of the inference mode."""
  image = arrays["image"]
  prediction = architecture.model(image)
  for name, expected in below(arrays, "out/").items():
    actual = thinned(getattr(prediction, OURS[name]), ENTRIES)
    assert_near(actual, expected, TOLERANCE, name)
  assert_endpoints_agree(architecture.model, arrays, ENTRIES)
  found = losses(architecture, arrays, prediction)
  assert_losses_agree(found, below(arrays, "eval_loss/"), LOSS)
  maps = architecture.postprocess(prediction, image.shape[1:3])
  for ours in ("panoptic", "semantic", "instance"):
    # Where two slots are equally likely, rounding decides.
    wrong = np.asarray(getattr(maps, ours)) != arrays[f"post/{MAPS[ours]}"]
    assert wrong.mean() < 1e-3, ours


def test_small_at_a_size_it_was_not_built_for(small):
  """Its windows of ASPP are those of 65x65, here smaller than the features."""
  assert_entries_agree(small, recording("max_s_81x113"))


def test_large(large):
  assert_entries_agree(large, recording("max_l_calm"))


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


def test_recordings_are_of_networks_that_tell_things_apart():
  for name in ("max_s", "max_l"):
    outputs = below(recording(name), "out/")
    assert all(np.isfinite(value).all() for value in outputs.values())
    masks = outputs["pixel_space_mask_logits"]
    assert masks.std(axis=-1).min() > 0.1
