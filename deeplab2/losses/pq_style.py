"""The PQ-style loss of MaX-DeepLab: matching, and the loss's two halves.

PQ is the sum over matched masks of recognition x segmentation quality. The
loss follows the product rule: each factor is improved with the other one as a
weight, Dice weighted by the probability of the right class, and the class
weighted by Dice.

Letters: b batch, p pixels, k ground-truth masks, n slots, c class channels.
"""

from typing import NamedTuple

from keras import ops

from deeplab2 import structures
from deeplab2.losses import mask_dice, matching, slot_class, softmax

# A weight of exactly zero would stop a mask from ever being learnt.
MIN_WEIGHT = 1e-5


class SlotAreas(NamedTuple):
  """Probability of each slot summed over the pixels of a kind: b n each."""

  on_masks: structures.Tensor
  on_crowd: structures.Tensor  # labelled, but in no mask
  on_void: structures.Tensor

  @property
  def labelled(self):
    return self.on_masks + self.on_crowd

  @property
  def void_share(self):
    """Share of the slot's mask that lies on void."""
    return self.on_void / (self.labelled + self.on_void + mask_dice.EPSILON)


class Match(NamedTuple):
  """Which slot each mask got, and how well they agree. No gradient."""

  slot: structures.Tensor  # b k  int32; -1 where absent or left over
  dice: structures.Tensor  # b k  float32; zero where no slot
  class_probability: structures.Tensor  # b k  float32; zero where no slot


def slot_areas(mask_logits, probability, targets):
  """Sums the slots over masks, crowd and void.

  Only the sum over masks has a gradient.

  Args:
    mask_logits: b p n  float32.
    probability: b p n  float32; their softmax.
    targets: MaskTargets.

  Returns:
    SlotAreas.
  """
  crowd = ops.logical_and(targets.labelled, ops.logical_not(targets.has_mask))
  void = ops.logical_not(targets.labelled)
  on_masks, crowd, void = (
    ops.cast(kind, "float32") for kind in (targets.has_mask, crowd, void)
  )
  return SlotAreas(
    on_masks=softmax.weighted_area(mask_logits, on_masks, probability),
    on_crowd=ops.einsum("bp,bpn->bn", crowd, probability),
    on_void=ops.einsum("bp,bpn->bn", void, probability),
  )


def match_slots(probability, areas, class_logits, targets, solver):
  """Gives every mask the slot that makes the sum of their PQ greatest.

  The similarity of a mask and a slot is Dice x probability of the mask's
  class. Paper: "PQ-style Loss".

  Args:
    probability: b p n  float32 softmax of the mask logits. No gradient.
    areas: SlotAreas.
    class_logits: b n c  float32.
    targets: MaskTargets.
    solver: see `matching.match`.

  Returns:
    Match.
  """
  probability, class_logits = map(
    ops.stop_gradient, (probability, class_logits)
  )
  dice = mask_dice.dice_similarity(
    targets.masks, probability, ops.stop_gradient(areas.labelled)
  )  # b k n
  right_class = _class_probability(class_logits, targets.channel)  # b k n
  slot = matching.match(dice * right_class, targets.present, solver)
  pair = ops.one_hot(slot, class_logits.shape[1], dtype="float32")  # b k n
  return Match(
    slot=slot,
    dice=ops.sum(pair * dice, axis=2),
    class_probability=ops.sum(pair * right_class, axis=2),
  )


def mask_term(pixel_probability, areas, targets, match):
  """Dice loss of the matched masks, weighted by class probability, summed.

  Args:
    pixel_probability: b p  float32 of the slot that the pixel's mask has.
    areas: SlotAreas.
    targets: MaskTargets.
    match: Match.

  Returns:
    b  float32.
  """
  overlap = ops.einsum("bpk,bp->bk", targets.masks, pixel_probability)
  slot = ops.maximum(match.slot, 0)
  predicted_area = ops.take_along_axis(areas.on_masks, slot, axis=1)
  loss = mask_dice.mask_dice(overlap, predicted_area, targets.area)
  weight = ops.maximum(match.class_probability, MIN_WEIGHT)
  return ops.sum(ops.where(match.slot >= 0, weight * loss, 0.0), axis=1)


def class_term(class_logits, areas, targets, match, positive_weight):
  """Class cross entropy of all slots, weighted by Dice: b, a mean over slots.

  Args:
    class_logits: b n c  float32.
    areas: SlotAreas.
    targets: MaskTargets.
    match: Match.
    positive_weight: see `slot_class_cross_entropy`.
  """
  slots = ops.arange(class_logits.shape[1], dtype="int32")
  pair = ops.expand_dims(match.slot, 2) == slots  # b k n
  channel = ops.where(pair, ops.expand_dims(targets.channel, 2), -1)
  quality = ops.where(pair, ops.expand_dims(match.dice, 2), 0.0)
  return slot_class.slot_class_cross_entropy(
    class_logits,
    ops.max(channel, axis=1),
    ops.sum(quality, axis=1),
    ops.stop_gradient(areas.void_share),
    positive_weight,
  )


def _class_probability(class_logits, channel):
  """Probability that a slot has the class of a mask: b n c, b k -> b k n."""
  probability = ops.softmax(class_logits, axis=-1)
  wanted = ops.one_hot(channel, class_logits.shape[-1], dtype="float32")
  return ops.einsum("bkc,bnc->bkn", wanted, probability)
