"""The MaX-DeepLab loss against recordings of the original library.

The recordings hold the original's predictions, its targets and its losses.
"""

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from deeplab2 import structures
from deeplab2.losses import pq_style
from deeplab2.losses.max_deeplab_loss import MaXDeepLabLoss
from deeplab2.losses.random_scenes import tensors

TERMS = [
  "pq_style_loss_class_term",
  "pq_style_loss_mask_dice_term",
  "mask_id_cross_entropy_loss",
  "instance_discrimination_loss",
  "semantic_loss",
]
REPOSITORY = pathlib.Path(__file__).parents[1]
GOLDEN = pathlib.Path(
  os.environ.get("DEEPLAB2_GOLDEN", REPOSITORY.parent / "shared" / "golden")
)
COCO = structures.ClassLayout(
  thing_ids=tuple(range(1, 81)),
  stuff_ids=tuple(range(81, 134)),
  ignore_label=0,
  divisor=256,
)
SIZES = ["65x65", "97x129"]


def recording(name):
  path = GOLDEN / f"{name}.npz"
  if not path.exists():
    pytest.skip(f"no recording at {path}; set DEEPLAB2_GOLDEN to the folder")
  with np.load(path) as file:
    entries = {
      key: file[key]
      for key in file.files
      if key.split("/")[0] in ("gt", "out", "loss")
    }
  prediction = structures.MaskPrediction(
    mask_logits=entries["out/pixel_space_mask_logits"],
    class_logits=entries["out/transformer_class_logits"],
    pixel_features=entries["out/pixel_space_normalized_feature"],
    semantic_logits=entries["out/semantic_logits"],
  )
  targets = structures.Targets(
    semantic=entries["gt/semantic_gt"],
    semantic_weight=entries["gt/semantic_loss_weight"],
    thing_id=entries["gt/thing_id_mask_gt"],
    thing_class=entries["gt/thing_id_class_gt"],
    crowd=np.zeros_like(entries["gt/semantic_gt"], bool),
    panoptic=entries["gt/semantic_gt"] * 256,
  )
  losses = {name: entries[f"loss/{name}"] for name in [*TERMS, "total_loss"]}
  return tensors(prediction), tensors(targets), losses


def assert_agree(found, expected):
  for name, value in expected.items():
    np.testing.assert_allclose(found[name], value, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["evalgrad", "train"])
def test_agrees_with_the_original(size, mode):
  prediction, targets, losses = recording(f"max_s_{size}_{mode}_b2")
  loss = MaXDeepLabLoss(layout=COCO, solver="original")
  assert_agree(loss(prediction, targets), losses)


@pytest.mark.parametrize("size", SIZES)
def test_exact_matching_agrees_where_the_original_matches_best(size):
  prediction, targets, losses = recording(f"max_s_{size}_train_b2")
  assert_agree(MaXDeepLabLoss(layout=COCO)(prediction, targets), losses)


@pytest.mark.parametrize("size", SIZES)
def test_exact_matching_is_better_where_the_original_rounds(size, monkeypatch):
  prediction, targets, _ = recording(f"max_s_{size}_evalgrad_b2")
  totals = []
  match_slots = pq_style.match_slots

  def spy(*args):
    match = match_slots(*args)
    totals.append(tf.reduce_sum(match.dice * match.class_probability, 1))
    return match

  monkeypatch.setattr(pq_style, "match_slots", spy)
  for solver in ("host", "original"):
    MaXDeepLabLoss(layout=COCO, solver=solver)(prediction, targets)
  exact, original = totals
  assert (exact.numpy() >= original.numpy() - 1e-7).all()
  assert (exact.numpy() > original.numpy() + 1e-6).any()
