"""The MaX-DeepLab loss against recordings of the original library.

The recordings hold the original's predictions, its targets and its losses.
"""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from deeplab2 import structures
from deeplab2.losses import pq_style
from deeplab2.losses.max_deeplab_loss import MaXDeepLabLoss
from deeplab2.losses.random_scenes import tensors
from deeplab2.losses.sampling import PixelSampling
from tests import golden

COCO = structures.ClassLayout(
  thing_ids=tuple(range(1, 81)),
  stuff_ids=tuple(range(81, 134)),
  ignore_label=0,
  divisor=256,
)
EXACT = MaXDeepLabLoss(layout=COCO)
ORIGINAL = dataclasses.replace(EXACT, solver="original")
SIZES = ["65x65", "97x129"]
MODES = ["evalgrad", "train"]


def recorded(name):
  """Prediction and Targets of a recording, and its losses by name."""
  arrays = golden.recording(name)
  prediction = structures.MaskPrediction(
    mask_logits=arrays["out/pixel_space_mask_logits"],
    class_logits=arrays["out/transformer_class_logits"],
    pixel_features=arrays["out/pixel_space_normalized_feature"],
    semantic_logits=arrays["out/semantic_logits"],
  )
  losses = {
    key.removeprefix("loss/"): arrays[key]
    for key in arrays.files
    if key.startswith("loss/") and "aux_" not in key
  }
  return tensors(prediction), tensors(golden.targets(arrays)), losses


def assert_agree(found, expected):
  assert set(found) == set(expected)
  for name, value in expected.items():
    np.testing.assert_allclose(found[name], value, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", MODES)
def test_agrees_with_the_original(size, mode):
  prediction, targets, losses = recorded(f"max_s_{size}_{mode}_b2")
  assert_agree(ORIGINAL(prediction, targets), losses)


@pytest.mark.parametrize("mode", MODES)
def test_agrees_with_the_original_on_sampled_pixels(mode):
  prediction, targets, losses = recorded(f"kmax_r50_65x65_{mode}_b2")
  every_pixel = PixelSampling(pixels=17 * 17, temperature=0.6)
  loss = dataclasses.replace(ORIGINAL, instance_sampling=every_pixel)
  found = dict(loss(prediction, targets))
  # The recorded total is that of kMaX-DeepLab, with its auxiliary outputs.
  del found["total_loss"], losses["total_loss"]
  assert_agree(found, losses)


@pytest.mark.parametrize("size", SIZES)
def test_exact_matching_agrees_where_the_original_matches_best(size):
  prediction, targets, losses = recorded(f"max_s_{size}_train_b2")
  assert_agree(EXACT(prediction, targets), losses)


@pytest.mark.parametrize("size", SIZES)
def test_exact_matching_is_better_where_the_original_rounds(size, monkeypatch):
  prediction, targets, _ = recorded(f"max_s_{size}_evalgrad_b2")
  totals = []
  match_slots = pq_style.match_slots

  def spy(*args):
    match = match_slots(*args)
    totals.append(tf.reduce_sum(match.dice * match.class_probability, 1))
    return match

  monkeypatch.setattr(pq_style, "match_slots", spy)
  EXACT(prediction, targets)
  ORIGINAL(prediction, targets)
  exact, original = (total.numpy() for total in totals)
  assert (exact >= original - 1e-7).all()
  assert (exact > original + 1e-6).any()
