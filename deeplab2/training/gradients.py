"""What happens to gradients between the loss and the optimizer."""

from collections.abc import Sequence

import tensorflow as tf


def check_all_reached(paths: Sequence[str], gradients) -> None:
  """Raises a ValueError that names the variables no loss depends on."""
  unreached = [p for p, g in zip(paths, gradients, strict=True) if g is None]
  if unreached:
    raise ValueError(
      "gradients: expected every trained variable to influence total_loss;"
      f" {len(unreached)} of {len(paths)} do not: {', '.join(unreached[:8])}."
      " Is the weight of a loss missing in trainer_options.loss_options?"
    )


def with_weight_decay(gradients, variables, decayed: Sequence[bool], rate):
  """Adds the gradient of rate / 2 * |w|^2 for the variables to be decayed.

  This is L2 regularisation, in the loss's place: it goes through the clipping
  and through the optimizer's moments. AdamW's decay does neither.
  """
  if not rate:
    return list(gradients)
  return [
    g + rate * tf.convert_to_tensor(v) if decay else g
    for g, v, decay in zip(gradients, variables, decayed, strict=True)
  ]


def squared_norms(gradients):
  """The squared length of each gradient, in one tensor."""
  return 2.0 * tf.stack([tf.nn.l2_loss(g) for g in gradients])


def clipped(gradients, norm, limit: float | None):
  """All gradients shrunk by one factor so that their joint norm is <= limit."""
  if limit is None:
    return list(gradients)
  scale = tf.minimum(1.0, limit / norm)
  return [g * tf.cast(scale, g.dtype) for g in gradients]
