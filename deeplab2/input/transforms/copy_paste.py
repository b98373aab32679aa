"""Panoptic copy-paste: segments of a second image over the first.

After Yu et al., "k-means Mask Transformer", ECCV 2022.
"""

import dataclasses

import tensorflow as tf

from deeplab2.input.segments import find_segments, is_one_of
from deeplab2.structures import ClassLayout, Sample

PADDING = -1  # the label of the second image where there is no image

_CHOICES = ("all", "none", "random")


@dataclasses.dataclass(frozen=True)
class PasteRule:
  """Which segments are pasted: "all" of a kind, "none", or some at random."""

  things: str = "random"
  stuff: str = "random"
  void: str = "none"

  def __post_init__(self):
    for field, choice in dataclasses.asdict(self).items():
      if choice not in _CHOICES:
        raise ValueError(
          f"panoptic_copy_paste.{field}: expected one of {_CHOICES}; "
          f"got {choice!r}."
        )


def copy_paste(
  canvas: Sample,
  source: Sample,
  rule: PasteRule,
  layout: ClassLayout,
  seed: tf.Tensor,
) -> Sample:
  """Pastes a random choice of the source's segments onto the canvas.

  Pasted instances count down from the divisor, so they keep apart from those of
  the canvas. One whose id is taken all the same, as can happen beyond divisor/2
  objects of a class, is not pasted.

  Args:
    canvas: h w; the image that is changed.
    source: h w, like the canvas; its label is `PADDING` outside the image.
    rule: what may be pasted.
    layout: tells things, stuff and void apart.
    seed: for the choice.
  """
  segments = find_segments(source.panoptic)
  ids = _count_down(segments.ids, layout)
  taken = is_one_of(ids, find_segments(canvas.panoptic).ids)
  pasted = choose_segments(segments.ids, rule, layout, seed)
  pasted &= ~(taken & (ids % layout.divisor > 0))
  mask = segments.spread(pasted)  # h w
  return Sample(
    image=tf.where(mask[..., None], source.image, canvas.image),
    panoptic=tf.where(mask, segments.spread(ids), canvas.panoptic),
  )


def choose_segments(
  ids: tf.Tensor, rule: PasteRule, layout: ClassLayout, seed: tf.Tensor
) -> tf.Tensor:
  """Which of the ids are pasted: s -> s bool.

  "random" segments are part of one random subset, whose size is itself drawn
  evenly from none to all.
  """
  semantic, _ = layout.codec.decode(ids)
  kinds = (
    (rule.things, is_one_of(semantic, layout.thing_ids)),
    (rule.stuff, is_one_of(semantic, layout.stuff_ids)),
    (rule.void, semantic == layout.ignore_label),
    ("none", ids == PADDING),
  )
  chosen = _random_subset(tf.size(ids), seed)
  for choice, of_kind in kinds:
    if choice == "all":
      chosen |= of_kind
    elif choice == "none":
      chosen &= ~of_kind
  return chosen


def _random_subset(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
  """A random part of `count` things, of random size.  bool"""
  size_seed, order_seed = tf.unstack(tf.random.split(seed, 2))
  size = tf.random.stateless_uniform(
    [], size_seed, maxval=count + 1, dtype=tf.int32
  )
  order = tf.argsort(tf.random.stateless_uniform([count], order_seed))
  rank = tf.argsort(order)
  return rank < size


def _count_down(ids: tf.Tensor, layout: ClassLayout) -> tf.Tensor:
  """Instance i becomes divisor - i; 0 (stuff, crowd, void) stays."""
  semantic, instance = layout.codec.decode(ids)
  return layout.codec.encode(semantic, -instance % layout.divisor)
