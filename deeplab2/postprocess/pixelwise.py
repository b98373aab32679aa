"""Pixelwise merging: two argmaxes make a panoptic map (MaX-DeepLab, sec. 3.1).

One argmax gives each pixel its slot, the other each slot its class. A slot is
dropped where its class is doubtful, a pixel where its slot is doubtful or was
dropped.

Letters: b batch, h w height and width of the logits, H W of the image, r rows,
n slots, m those of them that are left, c classes.
"""

import dataclasses
from typing import NamedTuple

import keras
from keras import ops

from deeplab2.postprocess.checks import (
  check_area,
  check_fraction,
  check_slots_fit,
)
from deeplab2.postprocess.segments import panoptic_from_slots
from deeplab2.postprocess.slots import (
  classes_of_slots,
  logits_of_slots,
  look_up,
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

# Low enough to vanish in any softmax.
_DROPPED_LOGIT = -99999.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelwiseThresholds:
  """When a slot, a pixel or a segment is too doubtful to show."""

  class_confidence: float = 0.7  # least probability of a slot's class
  pixel_confidence: float = 0.4  # a pixel's slot must be likelier than this
  thing_area: int = 0  # least pixels of a thing
  stuff_area: int = 0  # least pixels of a stuff class

  def __post_init__(self):
    check_fraction("class_confidence", self.class_confidence)
    check_fraction("pixel_confidence", self.pixel_confidence)
    check_area("thing_area", self.thing_area)
    check_area("stuff_area", self.stuff_area)


class _PixelMaps(NamedTuple):
  """What one look at the upsampled logits yields; b r W each."""

  place: Tensor  # int32, of the likeliest slot among those that are left
  confidence: Tensor  # float32, its softmax among them
  wins: Tensor  # bool, no dropped slot is likelier


_TYPES = _PixelMaps("int32", "float32", "bool")
_WITH_BEST = "int32", _TYPES


def merge_pixelwise(
  prediction: MaskPrediction,
  size,
  layout: ClassLayout,
  thresholds: PixelwiseThresholds,
  fixed_shapes: bool = False,
  semantic: bool = True,
) -> PanopticPrediction:
  """Merges the masks of a batch into maps of the image's size.

  Where no slot of an image is left, all of it is void and its scores are 0.

  Args:
    prediction: mask_logits and class_logits are used.
    size: height and width of the image that went into the network, such as
      (641, 641); Python integers or scalar int32 tensors. The logits have every
      k-th row of it, the first and the last one included.
    layout: of the class logits.
    thresholds: what is left out.
    fixed_shapes: that no shape depends on values, as XLA needs it. Otherwise
      time is saved where only some slots are left.
    semantic: whether to tell the class of every pixel; None without, which
      takes a fifth less time.
  """
  num_slots = prediction.class_logits.shape[1]
  check_slots_fit(num_slots, layout)
  channel, class_confidence = classes_of_slots(prediction.class_logits)
  left = class_confidence >= thresholds.class_confidence  # b n
  logits = ops.cast(prediction.mask_logits, "float32")
  slots, *groups = _left_slots(logits, left, fixed_shapes)
  if semantic:
    best, maps = reduce_upsampled(groups, size, _best_and_maps, _WITH_BEST)
  else:
    maps = reduce_upsampled(groups, size, _maps, _TYPES)
  slot = look_up(slots, maps.place)
  kept = (maps.confidence > thresholds.pixel_confidence) & maps.wins
  any_left = ops.any(left, axis=1)[:, None, None]
  return PanopticPrediction(
    panoptic=panoptic_from_slots(
      slot,
      kept & any_left,
      channel,
      layout,
      thresholds.thing_area,
      thresholds.stuff_area,
    ),
    semantic=semantic_of_pixels(best, channel, layout) if semantic else None,
    instance=slot + 1,
    instance_score=ops.where(any_left, maps.confidence, 0.0),
    semantic_score=ops.where(any_left, look_up(class_confidence, slot), 0.0),
  )


def _left_slots(logits, left, fixed_shapes):
  """The slots that are left, in their order, their logits and their rivals'.

  Args:
    logits: b h w n.
    left: b n  bool.
    fixed_shapes: whether to go on with all slots.

  Returns:
    b m and b h w m, with m what the image with the most slots has, at least
    two. Where another has fewer, the slots that follow have dropped logits.
    And b h w n, which must not be larger: of all slots, or of the dropped ones
    alone, then with m = n.
  """
  position = ops.arange(ops.shape(left)[1], dtype="int32")
  rivals = logits
  if fixed_shapes or keras.backend.backend() == "jax":
    slots = ops.broadcast_to(position, ops.shape(left))
    # Not all: XLA may round what is upsampled at two places in two ways, so
    # that a slot would lose against itself.
    rivals = ops.where(left[:, None, None, :], _DROPPED_LOGIT, logits)
  else:
    most = ops.max(ops.sum(ops.cast(left, "int32"), axis=1))
    dropped_last = ops.where(left, position, position + ops.shape(left)[1])
    slots = ops.cast(ops.argsort(dropped_last, axis=1), "int32")
    slots = slots[:, : ops.maximum(most, 2)]
    logits = logits_of_slots(logits, slots)
    left = ops.take_along_axis(left, slots, axis=1)
  logits = ops.where(left[:, None, None, :], logits, _DROPPED_LOGIT)
  return slots, logits, rivals


def _maps(logits, rivals) -> _PixelMaps:
  """Maps of a strip of upsampled logits: b r W m, b r W n -> b r W each."""
  return _maps_of(*top_slot(logits), logits, ops.max(rivals, axis=-1))


def _best_and_maps(logits, rivals):
  """The likeliest slot of all as well, b r W int32."""
  top, place = top_slot(logits)
  top_rival, rival = top_slot(rivals)
  # Above its rivals is a slot only where they are the dropped ones alone; then
  # its place is its number.
  best = ops.where(top > top_rival, place, rival)
  return best, _maps_of(top, place, logits, top_rival)


def _maps_of(top, place, logits, top_rival) -> _PixelMaps:
  """Maps from the largest logits, of which place, and of the rivals, b r W."""
  return _PixelMaps(place, top_probability(logits, top), top >= top_rival)
