"""The auxiliary semantic segmentation loss.

Letters: b batch, p pixels, c classes (dataset ids, void's included).
"""

from keras import ops

from deeplab2.losses import softmax


def semantic_cross_entropy(logits, label, weight, ignore_label):
  """Weighted softmax cross entropy of each pixel.

  Args:
    logits: b p c  float32.
    label: b p  int32 class ids.
    weight: b p  float32.
    ignore_label: the id of void, whether or not it is one of the c. A label
      that is none of them is void too.

  Returns:
    b p  float32; zero where void.
  """
  known = ops.not_equal(label, ignore_label)
  known = ops.logical_and(known, label >= 0)
  known = ops.logical_and(known, label < logits.shape[-1])
  return weight * softmax.cross_entropy(logits, ops.where(known, label, -1))
