"""Gradients of the MaX-DeepLab loss, and images that have next to nothing."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from deeplab2 import structures
from deeplab2.losses import pq_style
from deeplab2.losses.max_deeplab_loss import MaXDeepLabLoss
from deeplab2.losses.random_scenes import BATCH, LAYOUT, SLOTS, scene

TERMS = [
  "pq_style_loss_class_term",
  "pq_style_loss_mask_dice_term",
  "mask_id_cross_entropy_loss",
  "instance_discrimination_loss",
  "semantic_loss",
]
LOSS = MaXDeepLabLoss(layout=LAYOUT)


def loss_and_gradients(loss, prediction, targets, term="total_loss", **kwargs):
  with tf.GradientTape() as tape:
    tape.watch(prediction)
    terms = loss(prediction, targets, **kwargs)
    total = tf.reduce_sum(terms[term])
  gradients = tape.gradient(
    total, prediction, unconnected_gradients=tf.UnconnectedGradients.ZERO
  )
  return terms, gradients


def literal_mask_terms(mask_logits, targets, match, num_masks):
  """The two mask terms as the paper's code writes them, by permutation.

  Slots are permuted to the order of the masks, missing ones get -99999, and
  the softmax is over what comes out.
  """
  logits = tf.reshape(mask_logits, (BATCH, -1, SLOTS))
  rest = [np.setdiff1d(np.arange(SLOTS), row) for row in match.slot]
  order = np.full((BATCH, num_masks + SLOTS), SLOTS)
  order[:, :num_masks] = np.where(match.slot < 0, SLOTS, match.slot)
  for row, free in zip(order, rest, strict=True):
    row[num_masks : num_masks + len(free)] = free
  padded = tf.pad(logits, ((0, 0), (0, 0), (0, 1)), constant_values=-99999.0)
  permuted = tf.gather(padded, order, axis=2, batch_dims=1)
  truth = tf.pad(targets.masks, ((0, 0), (0, 0), (0, SLOTS)))
  entropy = tf.nn.softmax_cross_entropy_with_logits(truth, permuted)
  entropy = tf.where(targets.has_mask, entropy, 0.0)
  count = tf.reduce_sum(tf.cast(entropy != 0, tf.float32), 1)
  probability = tf.nn.softmax(permuted) * tf.reduce_sum(truth, 2, keepdims=True)
  overlap = 2 * tf.reduce_sum(probability * truth, 1) + 1
  area = tf.reduce_sum(probability, 1) + tf.reduce_sum(truth, 1) + 1
  weight = tf.maximum(match.class_probability, 1e-5) * tf.cast(
    targets.present, tf.float32
  )
  dice = (1 - overlap / area)[:, :num_masks]
  return (
    3.0 * 0.75 / SLOTS * tf.reduce_sum(weight * dice, 1),
    0.3 * tf.reduce_sum(entropy, 1) / count,
  )


def test_mask_terms_and_gradients_agree_with_the_permuted_form(
  monkeypatch,
):
  seen = {}
  match_slots = pq_style.match_slots

  def spy(probability, areas, class_logits, targets, solver):
    seen["match"] = match_slots(
      probability, areas, class_logits, targets, solver
    )
    seen["targets"] = targets
    return seen["match"]

  monkeypatch.setattr(pq_style, "match_slots", spy)
  prediction, targets = scene()
  for index, name in enumerate(TERMS[1:3]):
    terms, gradients = loss_and_gradients(LOSS, prediction, targets, term=name)
    with tf.GradientTape() as tape:
      tape.watch(prediction.mask_logits)
      literal = literal_mask_terms(
        prediction.mask_logits, **seen, num_masks=seen["match"].slot.shape[1]
      )[index]
    np.testing.assert_allclose(terms[name], literal, rtol=1e-5)
    expected = tape.gradient(literal, prediction.mask_logits).numpy()
    np.testing.assert_allclose(
      gradients.mask_logits, expected, atol=1e-5 * np.abs(expected).max()
    )


@pytest.mark.parametrize("field", structures.MaskPrediction._fields)
def test_gradients_agree_with_differences(field):
  # The PQ-style terms hold their weights constant; differences would not.
  loss = dataclasses.replace(LOSS, pq_style_weight=0.0)
  prediction, targets = scene()
  _, gradients = loss_and_gradients(loss, prediction, targets)
  start, slope = getattr(prediction, field), getattr(gradients, field)
  if field == "class_logits":
    np.testing.assert_array_equal(slope, 0.0)
    return
  direction = slope / tf.norm(slope)
  step = 0.05

  def at(move):
    moved = prediction._replace(**{field: start + move * direction})
    return tf.reduce_sum(loss(moved, targets)["total_loss"])

  np.testing.assert_allclose(
    (at(step) - at(-step)) / (2 * step), tf.norm(slope), rtol=1e-2
  )


EDGES = {
  "no thing": {"things": 0},
  "no stuff": {"stuff": False},
  "one thing alone": {"things": 1, "stuff": False, "crowd": False},
  "crowd alone": {"things": 0, "stuff": False},
  "void alone": {"things": 0, "stuff": False, "crowd": False},
  "more masks than slots": {"things": 7, "slots": 3},
}


@pytest.mark.parametrize("solver", ["host", "compiled"])
@pytest.mark.parametrize("edge", EDGES)
def test_loss_and_gradients_are_finite_at_the_edges(edge, solver):
  loss = dataclasses.replace(LOSS, solver=solver)
  terms, gradients = loss_and_gradients(loss, *scene(**EDGES[edge]))
  for name, value in terms.items():
    assert np.isfinite(value).all(), name
    assert (value.numpy() >= 0).all(), name
  for name, value in gradients._asdict().items():
    assert np.isfinite(value).all(), name


def test_an_image_of_void_teaches_unused_slots_only():
  terms = LOSS(*scene(**EDGES["void alone"]))
  assert (terms[TERMS[0]].numpy() > 0).all()
  for name in TERMS[1:]:
    np.testing.assert_array_equal(terms[name], 0.0, err_msg=name)


def test_masks_beyond_the_slots_teach_nothing():
  # The original labels slot 0 with the classes of the masks left over.
  prediction, targets = scene(**EDGES["more masks than slots"])
  _, gradients = loss_and_gradients(LOSS, prediction, targets, term=TERMS[2])
  taught = np.abs(gradients.mask_logits).sum(-1) > 0
  for image in range(BATCH):
    region = np.where(targets.thing_id < 0, -targets.semantic, targets.thing_id)
    assert len(np.unique(region[image][taught[image]])) <= 3
  terms, _ = loss_and_gradients(LOSS, prediction, targets)
  assert (terms[TERMS[2]].numpy() < 0.3 * 100).all()


def test_what_is_not_finite_is_not_swallowed():
  prediction, targets = scene()
  for field, value in prediction._asdict().items():
    broken = value.numpy()
    broken[0] = np.nan
    terms = LOSS(prediction._replace(**{field: tf.constant(broken)}), targets)
    assert np.isnan(terms["total_loss"][0]), field
    assert np.isfinite(terms["total_loss"][1]), field
