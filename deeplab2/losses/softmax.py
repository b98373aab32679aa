"""Softmax over the last axis: cross entropy, and sums over pixels.

The gradients are written out. With 2 x 161 x 161 pixels and 128 slots on a CPU
TensorFlow's own cross entropy takes nine times as long as a softmax, and the
gradient of a softmax that is summed over pixels four times as long as this one.

Letters: b batch, p pixels (or slots), c what the softmax is over.
"""

from keras import ops


def softmax(logits):
  """Probabilities that no gradient flows through, to share between losses."""
  return ops.stop_gradient(ops.softmax(logits, axis=-1))


def cross_entropy(logits, label, probability=None):
  """Cross entropy with integer labels.

  Args:
    logits: b p c  float32.
    label: b p  int32 in 0..c-1; -1 where there is nothing to learn.
    probability: `softmax(logits)`, if the caller has it.

  Returns:
    b p  float32; zero, with a gradient of zero, where the label is -1.
  """
  if probability is None:
    probability = softmax(logits)
  known = label >= 0

  @ops.custom_gradient
  def entropy(logits):
    index = ops.expand_dims(ops.maximum(label, 0), -1)
    chosen = ops.squeeze(ops.take_along_axis(logits, index, axis=-1), -1)
    # The largest exponential is one, so the largest probability is one over
    # the sum of all.
    below = ops.max(logits, axis=-1) - chosen
    value = below - ops.log(ops.max(probability, axis=-1))

    def gradient(*args, upstream=None):
      upstream = args[0] if upstream is None else upstream
      scale = ops.expand_dims(ops.where(known, upstream, 0.0), -1)
      target = ops.one_hot(label, ops.shape(logits)[-1])
      return (probability - target) * scale

    return ops.where(known, value, 0.0), gradient

  return entropy(logits)


def weighted_area(logits, weight, probability):
  """Sum over the pixels of weight x softmax.

  Args:
    logits: b p c  float32.
    weight: b p  float32, without a gradient.
    probability: `softmax(logits)`.

  Returns:
    b c  float32.
  """

  @ops.custom_gradient
  def area(logits):
    def gradient(*args, upstream=None):
      upstream = args[0] if upstream is None else upstream
      mean = ops.einsum("bpc,bc->bp", probability, upstream)
      # weight * (upstream - mean) as one product of thin matrices.
      left = ops.stack([weight, -weight * mean], axis=-1)  # b p 2
      right = ops.stack([upstream, ops.ones_like(upstream)], axis=1)  # b 2 c
      return ops.matmul(left, right) * probability

    return ops.einsum("bp,bpc->bc", weight, probability), gradient

  return area(logits)
