"""Maskwise merging (CMT-DeepLab, kMaX-DeepLab): paste the surest masks first.

Every slot's mask is cut at a probability. In the order of their scores the
masks go onto an empty canvas, where the earlier ones stay on top; a mask of
which too little is left is not pasted.

Letters: b batch, h w height and width of the logits, H W of the image, r rows,
n slots, c classes. Rank: place in the order of pasting, from 0.
"""

import dataclasses
from typing import NamedTuple

import keras
from keras import ops

from deeplab2.layers.resize import resize_align_corners
from deeplab2.postprocess.checks import (
  check_area,
  check_fraction,
  check_not_negative,
  check_slots_fit,
)
from deeplab2.postprocess.segments import panoptic_from_slots
from deeplab2.postprocess.slots import (
  classes_of_slots,
  logits_of_slots,
  semantic_of_pixels,
  top_probability,
  top_slot,
)
from deeplab2.postprocess.strips import reduce_upsampled
from deeplab2.structures import (
  ClassLayout,
  MaskPrediction,
  PanopticPrediction,
  Tensor,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskwiseThresholds:
  """What makes a mask, which masks are pasted, and in which order."""

  pixel_confidence: float = 0.4  # a mask is where its slot is likelier
  thing_class_confidence: float = 0.7  # least probability of a thing's class
  stuff_class_confidence: float = 0.5  # and of a stuff class
  visible_fraction: float = 0.5  # more of a mask than this must be uncovered
  class_weight: float = 1.0  # score = class confidence ** class_weight
  mask_weight: float = 0.0  # * mask confidence ** mask_weight
  thing_area: int = 0  # least pixels of a thing
  stuff_area: int = 0  # least pixels of a stuff class

  def __post_init__(self):
    for field in (
      "pixel_confidence",
      "thing_class_confidence",
      "stuff_class_confidence",
      "visible_fraction",
    ):
      check_fraction(field, getattr(self, field))
    check_not_negative("class_weight", self.class_weight, "1.0")
    check_not_negative("mask_weight", self.mask_weight, "1.0")
    check_area("thing_area", self.thing_area)
    check_area("stuff_area", self.stuff_area)


class _Ranked(NamedTuple):
  """The slots of a batch in the order of their scores; b n each."""

  slot: Tensor  # int32
  channel: Tensor  # int32, class of the slot
  confidence: Tensor  # float32, probability of that class
  sure: Tensor  # bool, whether it suffices


class _PixelMaps(NamedTuple):
  """What one look at the upsampled logits yields; b r W each."""

  confidence: Tensor  # float32, softmax of the likeliest slot
  log_total: Tensor  # float32, log of the sum of all exponentials


class _Canvas(NamedTuple):
  """What has been pasted; b H W each."""

  rank: Tensor  # int32, -1 where empty
  score: Tensor  # float32, class confidence of what lies there, else 0


_TYPES = _PixelMaps("float32", "float32")
_WITH_BEST = "int32", _TYPES


def merge_maskwise(
  prediction: MaskPrediction,
  size,
  layout: ClassLayout,
  thresholds: MaskwiseThresholds,
  semantic: bool = True,
) -> PanopticPrediction:
  """Merges the masks of a batch into maps of the image's size.

  Instance ids are ranks + 1, and 1 where nothing was pasted. Where no slot of
  an image is sure by the lower of the two limits, its scores are 0.

  Args:
    prediction: mask_logits and class_logits are used.
    size: height and width of the image that went into the network, such as
      (641, 641); Python integers or scalar int32 tensors. The logits have every
      k-th row of it, the first and the last one included.
    layout: of the class logits.
    thresholds: what is pasted.
    semantic: whether to tell the class of every pixel, None without.
  """
  check_slots_fit(prediction.class_logits.shape[1], layout)
  logits = ops.cast(prediction.mask_logits, "float32")
  channel, confidence = classes_of_slots(prediction.class_logits)
  if semantic:
    best, maps = reduce_upsampled((logits,), size, _best_and_maps, _WITH_BEST)
  else:
    maps = reduce_upsampled((logits,), size, _maps, _TYPES)
  ranked = _ranked(logits, channel, confidence, layout, thresholds)
  canvas = _paste_all(logits, maps.log_total, ranked, size, thresholds)
  lower = min(
    thresholds.thing_class_confidence, thresholds.stuff_class_confidence
  )
  any_sure = ops.any(confidence >= lower, axis=1)[:, None, None]
  rank = ops.maximum(canvas.rank, 0)
  return PanopticPrediction(
    panoptic=panoptic_from_slots(
      rank,
      canvas.rank >= 0,
      ranked.channel,
      layout,
      thresholds.thing_area,
      thresholds.stuff_area,
    ),
    semantic=semantic_of_pixels(best, channel, layout) if semantic else None,
    instance=rank + 1,
    instance_score=ops.where(any_sure, maps.confidence, 0.0),
    semantic_score=canvas.score,
  )


def _maps(logits) -> _PixelMaps:
  """Maps of a strip of upsampled logits: b r W n -> b r W each."""
  return _maps_below(ops.max(logits, axis=-1), logits)


def _best_and_maps(logits):
  """The likeliest slot as well, b r W int32."""
  top, best = top_slot(logits)
  return best, _maps_below(top, logits)


def _maps_below(top, logits) -> _PixelMaps:
  """Maps from the logits of a strip and the largest of each pixel, b r W."""
  confidence = top_probability(logits, top)
  # The likeliest slot has the probability exp(top) / total.
  return _PixelMaps(confidence, top - ops.log(confidence))


def _ranked(logits, channel, confidence, layout, thresholds) -> _Ranked:
  """Slots by falling score; the first of equals first."""
  mask_confidence = _mask_confidence(logits, thresholds.pixel_confidence)
  score = (
    confidence**thresholds.class_weight
    * mask_confidence**thresholds.mask_weight
  )
  slot = ops.cast(ops.argsort(-score, axis=1), "int32")
  channel = ops.take_along_axis(channel, slot, axis=1)
  confidence = ops.take_along_axis(confidence, slot, axis=1)
  limit = ops.where(
    channel < len(layout.thing_ids),
    thresholds.thing_class_confidence,
    thresholds.stuff_class_confidence,
  )
  return _Ranked(slot, channel, confidence, confidence >= limit)


def _mask_confidence(logits, limit):
  """Mean probability of each slot within its mask: b h w n -> b n."""
  probability = ops.softmax(logits, axis=-1)
  mask = ops.cast(probability > limit, "float32")
  area = ops.sum(mask, axis=(1, 2))
  return ops.sum(probability * mask, axis=(1, 2)) / ops.maximum(area, 1.0)


def _paste_all(logits, log_total, ranked, size, thresholds) -> _Canvas:
  """Pastes the sure masks, one of every image at a time.

  The ranks to paste come first in `turns`, so the loop is as long as the most
  sure slots of an image, a dozen rather than all.
  """
  sure = ops.cast(ranked.sure, "int32")
  turns = ops.argsort(-sure, axis=1)  # b n, ranks; those of the sure ones first
  num_turns = ops.max(ops.sum(sure, axis=1))
  # In logarithms a mask needs no exponential of its own.
  limit = ops.log(ops.cast(thresholds.pixel_confidence, "float32"))

  def paste(turn, *canvas):
    rank = ops.cast(ops.take(turns, turn, axis=1), "int32")  # b
    one = keras.tree.map_structure(lambda x: _one_of_each(x, rank), ranked)
    mask = _upsampled_slot(logits, one.slot, size) - log_total > limit
    return turn + 1, *_paste(_Canvas(*canvas), mask, rank, one, thresholds)

  empty = _Canvas(
    rank=ops.full_like(log_total, -1, dtype="int32"),
    score=ops.zeros_like(log_total),
  )
  _, *canvas = ops.while_loop(
    lambda turn, *_: turn < num_turns,
    paste,
    (ops.convert_to_tensor(0, dtype="int32"), *empty),
  )
  return _Canvas(*canvas)


def _one_of_each(values, index):
  """values[i, index[i]] of each image i: b n, b -> b."""
  return ops.take_along_axis(values, index[:, None], axis=1)[:, 0]


def _upsampled_slot(logits, slot, size):
  """Logits of one slot an image at full size: b h w n, b -> b H W."""
  chosen = logits_of_slots(logits, slot[:, None])  # b h w 1
  return resize_align_corners(chosen, size)[..., 0]


def _paste(canvas, mask, rank, one, thresholds) -> _Canvas:
  """One mask an image onto the canvas, unless too much of it is covered."""
  area = _area(mask)
  mask = mask & (canvas.rank < 0)
  pasted = one.sure & (_area(mask) > area * thresholds.visible_fraction)
  mask = mask & pasted[:, None, None]
  return _Canvas(
    ops.where(mask, rank[:, None, None], canvas.rank),
    ops.where(mask, one.confidence[:, None, None], canvas.score),
  )


def _area(mask):
  """Pixels of one mask an image, b H W -> b, as float32."""
  return ops.sum(ops.cast(mask, "float32"), axis=(1, 2))
