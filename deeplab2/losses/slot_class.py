"""The classification of mask slots, with most of them matched to nothing.

Letters: b batch, n slots, c channels of the class logits, void last.
"""

from keras import ops

from deeplab2.losses import averages, softmax

# A weight of zero would leave the slot out of the mean's denominator.
MIN_WEIGHT = 1e-5


def slot_class_cross_entropy(
  class_logits, channel, quality, void_share, positive_weight=0.75
):
  """Softmax cross entropy of slots against the classes of their masks.

  A matched slot learns the class of its mask, as strongly as its own mask is
  good already. A slot without a mask learns void, as strongly as its mask lies
  on void pixels: where the image is labelled to the last pixel, unused slots
  are hardly taught that they are unused. (The original's comment says the
  opposite of what it computes. Its weights were trained with this, and its
  authors' PyTorch version does the same, so this is what is meant.)

  Paper: MaX-DeepLab, equation 10. The focal exponent of the original is zero in
  all its models, so there is none here.

  Args:
    class_logits: b n c  float32.
    channel: b n  int32 class of the mask each slot was matched to; -1 if none.
    quality: b n  float32 Dice of the slot with that mask. No gradient.
    void_share: b n  float32 share of the slot's mask on void. No gradient.
    positive_weight: factor on matched slots; the others have one minus it.

  Returns:
    b  float32, mean over the slots.
  """
  matched = channel >= 0
  void = class_logits.shape[-1] - 1
  entropy = softmax.cross_entropy(
    class_logits, ops.where(matched, channel, void)
  )
  weight = ops.where(
    matched,
    positive_weight * ops.maximum(quality, MIN_WEIGHT),
    (1.0 - positive_weight) * ops.maximum(void_share, MIN_WEIGHT),
  )
  return averages.mean_over_nonzero(entropy * ops.stop_gradient(weight))
