"""Which slot does a pixel belong to? A softmax over slots at each pixel.

Letters: b batch, p pixels, k ground-truth masks, n slots.
"""

from keras import ops

from deeplab2.losses import softmax


def mask_id_cross_entropy(mask_logits, probability, slot_of_mask, mask_id):
  """Cross entropy of each pixel against the slot its mask was matched to.

  The logits are taken as they are, without a temperature. Paper: MaX-DeepLab,
  "Auxiliary Losses".

  Args:
    mask_logits: b p n  float32.
    probability: b p n  float32; their softmax.
    slot_of_mask: b k  int32; -1 for a mask without a slot.
    mask_id: b p  int32; -1 where the pixel has no mask.

  Returns:
    b p  float32; zero where there is no mask, or none with a slot.
  """
  slot = ops.take_along_axis(slot_of_mask, ops.maximum(mask_id, 0), axis=1)
  slot = ops.where(mask_id >= 0, slot, -1)
  return softmax.cross_entropy(mask_logits, slot, probability)
