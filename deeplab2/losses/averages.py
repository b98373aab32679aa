"""Per-element losses to one number an image.

Letters: b batch, e elements (pixels, slots or samples).
"""

from keras import ops


def mean_over_nonzero(loss):
  """Sum of a loss over the number of its entries that are not exactly zero.

  An entry is zero where its weight is (void, padding) or where the prediction
  is perfect to the last bit. An image with zeros only has the loss zero.

  Args:
    loss: b e  float32, weights multiplied in.

  Returns:
    b  float32.
  """
  count = ops.sum(ops.cast(ops.not_equal(loss, 0.0), loss.dtype), axis=1)
  return ops.sum(loss, axis=1) / ops.maximum(count, 1.0)


def mean_of_hardest(loss, top_k_percent=1.0):
  """`mean_over_nonzero` of the largest entries of every image.

  The name of the option speaks of percent; its value is a fraction. Zeros
  among the chosen entries do not count, so that with little to learn from the
  mean is over fewer entries than the option asks for.

  Args:
    loss: b e  float32, weights multiplied in.
    top_k_percent: the fraction of the entries to keep, in (0, 1].

  Returns:
    b  float32.
  """
  if top_k_percent != 1.0:
    loss = hardest(loss, top_k_percent)
  return mean_over_nonzero(loss)


def hardest(loss, fraction):
  """The largest `fraction` of the entries of an image, at least one.

  b e -> b k, in no particular order.
  """
  elements = ops.shape(loss)[1]
  if isinstance(elements, int):
    count = max(round(fraction * elements), 1)
  else:
    count = ops.round(fraction * ops.cast(elements, "float32"))
    count = ops.maximum(ops.cast(count, "int32"), 1)
  return ops.top_k(loss, count, sorted=False)[0]
