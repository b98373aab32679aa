"""Which slot does a pixel belong to? A softmax over slots at each pixel.

Letters: b batch, p pixels, n slots.
"""

from keras import ops


def mask_id_cross_entropy(mask_logits, slot):
  """Cross entropy of each pixel against the slot its mask was matched to.

  The logits are taken as they are, without a temperature. Paper: section 3.3,
  "Mask-ID cross-entropy".

  Args:
    mask_logits: b p n  float32.
    slot: b p  int32; -1 where the pixel has no mask, or a mask without slot.

  Returns:
    b p  float32; zero where `slot` is -1.
  """
  has_slot = slot >= 0
  # Index 0 keeps the look-up in range; the result is thrown away.
  entropy = ops.sparse_categorical_crossentropy(
    ops.where(has_slot, slot, 0), mask_logits, from_logits=True
  )
  return ops.where(has_slot, entropy, 0.0)
