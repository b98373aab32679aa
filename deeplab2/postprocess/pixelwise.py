"""Pixelwise merging: two argmaxes make a panoptic map (MaX-DeepLab, sec. 3.1).

One argmax gives each pixel its slot, the other each slot its class. A slot is
dropped where its class is doubtful, a pixel where its slot is doubtful or was
dropped.

Letters: b batch, h w height and width of the logits, H W of the image, r rows,
n slots, c classes.
"""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from deeplab2.postprocess.checks import (
  check_area,
  check_fraction,
  check_slots_fit,
)
from deeplab2.postprocess.segments import panoptic_from_slots
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

  best: Tensor  # int32, the likeliest slot of all
  slot: Tensor  # int32, the likeliest slot that was not dropped
  confidence: Tensor  # float32, its softmax among those not dropped
  wins: Tensor  # bool, no dropped slot is likelier than it


_TYPES = _PixelMaps(tf.int32, tf.int32, tf.float32, tf.bool)


def merge_pixelwise(
  prediction: MaskPrediction,
  size,
  layout: ClassLayout,
  thresholds: PixelwiseThresholds,
) -> PanopticPrediction:
  """Merges the masks of a batch into maps of the image's size.

  Where no slot of an image is left, all of it is void and its scores are 0.

  Args:
    prediction: mask_logits and class_logits are used.
    size: height and width of the image that went into the network, such as
      (641, 641); Python integers or scalar int32 tensors.
    layout: of the class logits.
    thresholds: what is left out.
  """
  num_slots = prediction.class_logits.shape[1]
  check_slots_fit(num_slots, layout)
  channel, class_confidence = classes_of_slots(prediction.class_logits)
  left = class_confidence >= thresholds.class_confidence  # b n
  maps = reduce_upsampled(
    tf.cast(prediction.mask_logits, tf.float32),
    size,
    lambda logits: _reduce(logits, left),
    _TYPES,
  )
  kept = (maps.confidence > thresholds.pixel_confidence) & maps.wins
  any_left = tf.reduce_any(left, axis=1)[:, None, None]
  score = tf.gather(class_confidence, maps.slot, batch_dims=1)
  return PanopticPrediction(
    panoptic=panoptic_from_slots(
      maps.slot,
      kept & any_left,
      channel,
      layout,
      thresholds.thing_area,
      thresholds.stuff_area,
    ),
    semantic=semantic_of_pixels(maps.best, channel, layout),
    instance=maps.slot + 1,
    instance_score=tf.where(any_left, maps.confidence, 0.0),
    semantic_score=tf.where(any_left, score, 0.0),
  )


def classes_of_slots(class_logits):
  """The likeliest class of each slot, void aside, and its probability.

  Args:
    class_logits: b n c, void last.

  Returns:
    The channel, b n int32, and its softmax among all channels, b n float32.
  """
  probability = tf.nn.softmax(tf.cast(class_logits, tf.float32), axis=-1)
  probability = probability[..., :-1]
  channel = tf.argmax(probability, axis=-1, output_type=tf.int32)
  return channel, tf.reduce_max(probability, axis=-1)


def semantic_of_pixels(slot, channel, layout: ClassLayout):
  """Dataset class of each pixel's slot: b H W, b n -> b H W."""
  return tf.gather(tf.gather(layout.class_ids, channel), slot, batch_dims=1)


def _reduce(logits, left) -> _PixelMaps:
  """Maps of a strip of upsampled logits: b r W n, b n -> b r W each."""
  top, best = top_slot(logits)
  logits = tf.where(left[:, None, None, :], logits, _DROPPED_LOGIT)
  top_left, slot = top_slot(logits)
  total = tf.reduce_sum(tf.exp(logits - top_left[..., None]), axis=-1)
  return _PixelMaps(best, slot, 1.0 / total, top == top_left)


def top_slot(logits):
  """The largest logit of each pixel and its slot, the first of equals."""
  value, slot = tf.math.top_k(logits, k=1)
  return value[..., 0], slot[..., 0]
