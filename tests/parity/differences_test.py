"""Where we differ from the original on purpose: what it does, what we do."""

import dataclasses

import numpy as np
import pytest

from deeplab2.input.transforms.random_scale import ScaleRange
from deeplab2.losses import matching, pq_style
from tests.parity import networks
from tests.parity.conftest import NARROW_SEED
from tests.parity.recordings import (
  assert_near,
  below,
  prediction_of,
  recording,
  targets_of,
  thinned,
)
from tests.parity.training_test import (
  MOMENTUM,
  gradients,
  statistics,
  tensors,
)


def test_matching_does_not_round_small_similarities_away():
  """The original matches at a resolution of 6e-5; we match exactly.

  Similarities of untrained masks are below that. What it then takes is a matter
  of order, ours is the best there is.
  """
  rng = np.random.default_rng(0)
  # More places for masks than slots, as on COCO: only then does it round.
  similarity = rng.uniform(0, 3e-5, (1, 13, 11)).astype(np.float32)
  present = np.arange(13)[None] < 7
  theirs = np.asarray(matching.match(similarity, present, solver="original"))
  ours = np.asarray(matching.match(similarity, present, solver="host"))
  rows = np.arange(7)
  total_theirs = similarity[0, rows, theirs[0, :7]].sum()
  total_ours = similarity[0, rows, ours[0, :7]].sum()
  assert (theirs != ours).any()
  assert total_ours > 1.05 * total_theirs


@pytest.mark.parametrize("name", ["narrow", "max_l"])
def test_exact_matching_fits_recorded_masks_better(narrow, name, monkeypatch):
  arrays = recording(name)
  fits = []
  match_slots = pq_style.match_slots

  def spy(*args):
    match = match_slots(*args)
    fits.append((match.dice * match.class_probability).numpy().sum(axis=1))
    return match

  monkeypatch.setattr(pq_style, "match_slots", spy)
  for solver in ("host", "original"):
    loss = dataclasses.replace(narrow.loss, solver=solver)
    loss(tensors(prediction_of(arrays)), tensors(targets_of(arrays)))
  ours, theirs = fits
  assert (ours >= theirs - 1e-7).all()
  assert (ours > theirs + 1e-6).any()


def test_only_the_terms_that_match_depend_on_it(narrow):
  arrays = recording("narrow")
  exact = dataclasses.replace(narrow.loss, solver="host")
  found = exact(tensors(prediction_of(arrays)), tensors(targets_of(arrays)))
  recorded = below(arrays, "eval_loss/")
  for term in ("semantic_loss", "instance_discrimination_loss"):
    np.testing.assert_allclose(found[term], recorded[term], rtol=1e-5)


def test_moving_averages_move_once_a_step_in_every_block(narrow):
  """The original moves those of axial blocks twice, as it computes them twice.

  Its backward pass runs the forward pass of such a block again, and what that
  does to the moving averages counts a second time. Ours count once, with
  `recompute_grad` as without.
  """
  arrays = recording("narrow")
  before, after = around_a_step(narrow)
  twice = 0
  for key, recorded in below(arrays, "statistics/").items():
    if key.endswith("moving_mean"):
      once = after[key] - before[key]
      recomputed = networks.is_recomputed(key, arrays["grad_keys"])
      again = MOMENTUM * once if recomputed else 0.0
      assert_near(recorded - before[key], once + again, 1e-2, key)
      twice += recomputed
  assert twice == 33


def around_a_step(architecture):
  """Entries of the moving averages before and after a step."""
  arrays = recording("narrow")
  before = statistics(architecture)
  try:
    gradients(architecture, arrays, training=True)
    after = statistics(architecture)
  finally:
    networks.assign_weights(architecture.model, NARROW_SEED)
  return [
    {key: thinned(value) for key, value in moment.items()}
    for moment in (before, after)
  ]


def test_moving_variances_are_of_the_batch_as_it_is(narrow):
  """Fused kernels of TensorFlow report n / (n - 1) times the variance.

  The original has them without `use_sync_batchnorm`, for images only; we have
  the variance itself, on one device as on many.
  """
  key = "semantic_decoder/_aspp/_proj_conv_bn_act/_batch_norm/moving_variance"
  n = 2 * 5 * 5  # values a channel in this batch
  before, after = around_a_step(narrow)
  recorded = recording("narrow")[f"statistics/{key}"]
  ours = (after[key] - MOMENTUM * before[key]) / (1 - MOMENTUM)
  theirs = (recorded - MOMENTUM * before[key]) / (1 - MOMENTUM)
  np.testing.assert_allclose(theirs, ours * n / (n - 1), rtol=2e-3)


@pytest.mark.parametrize(
  ("where", "field"),
  [
    ("semantic", "semantic_logits"),
    ("feature", "pixel_features"),
  ],
)
def test_a_loss_that_is_not_finite_stays_so(narrow, where, field):
  """One NaN in a prediction of the first image.

  The original's trainer takes zero for a mean that is not a number: what it
  logs looks fine, and its gradient is NaN all the same. We leave the loss as it
  is, and `training/trainer.py` stops before the weights change.
  """
  theirs = below(recording("nonfinite"), f"{where}/")
  assert np.isnan(theirs["loss/total_loss"][0])
  assert theirs["trained/total_loss"] == 0
  arrays = recording("narrow")
  prediction = prediction_of(arrays)
  value = getattr(prediction, field).copy()
  value[0].ravel()[theirs["entry"]] = np.nan
  bad = tensors(prediction._replace(**{field: value}))
  terms = narrow.loss(bad, tensors(targets_of(arrays)))
  assert not np.isfinite(terms["total_loss"][0])
  assert np.isfinite(terms["total_loss"][1])


def test_scales_of_the_random_resize_are_those_of_the_config():
  """0.5 to 1.5 by 0.1 are eleven scales; the original draws from ten others."""
  theirs = recording("scales")["0.5_1.5_0.1"]
  low, high, step = np.float32([0.5, 1.5, 0.1]).tolist()
  ours = ScaleRange(low, high, step).factors
  np.testing.assert_allclose(theirs, np.linspace(0.5, 1.5, 10), rtol=1e-6)
  np.testing.assert_allclose(ours, np.linspace(0.5, 1.5, 11), rtol=1e-6)
