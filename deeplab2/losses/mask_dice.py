"""Dice between ground-truth masks and slots: similarity, and loss.

Letters: b batch, p pixels, k ground-truth masks, n slots.
"""

from keras import ops

# One pixel's worth of agreement: an empty prediction of an empty mask is right.
SMOOTH = 1.0
EPSILON = 1e-5


def dice_similarity(masks, probability, predicted_area):
  """Dice of every mask with every slot, in [0, 1].

  Args:
    masks: b p k  float32 in {0, 1}.
    probability: b p n  float32 of each slot at each pixel.
    predicted_area: b n  float32; `probability` summed over the pixels that
      count, that is, over those that are not void.

  Returns:
    b k n  float32; zero for a mask without pixels.
  """
  overlap = ops.einsum("bpk,bpn->bkn", masks, probability)
  area = ops.expand_dims(ops.sum(masks, axis=1), 2)  # b k 1
  mean_area = (area + ops.expand_dims(predicted_area, 1)) / 2.0
  return overlap / (mean_area + EPSILON)


def mask_dice(overlap, predicted_area, area):
  """One minus Dice of each mask with its slot: three times b k -> b k.

  Zero for equal binary masks, empty ones included; near one for masks that
  have nothing in common. Paper: MaX-DeepLab, equation 10.

  Args:
    overlap: probability of the slot summed over the pixels of the mask.
    predicted_area: the same, summed over the pixels of all masks.
    area: pixels of the mask.
  """
  return 1.0 - (2.0 * overlap + SMOOTH) / (predicted_area + area + SMOOTH)
