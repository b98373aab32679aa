"""Gradient checkpointing: recompute a layer in the backward pass.

The layer runs twice, so its batch normalizations would move their averages
twice; here they move once, after the forward pass.
"""

import keras

from deeplab2.layers.batch_norm import deferred_updates


def recompute(layer, *inputs):
  """`layer(*inputs, training=True)` that keeps only its inputs for backward.

  The layer must be built, return one tensor or a tuple, and hold no randomness.
  """
  owners = []

  def forward(*tensors):
    with deferred_updates() as updates:
      outputs = layer(*tensors, training=True)
    owners[:] = [owner for owner, _, _ in updates]
    statistics = tuple((mean, variance) for _, mean, variance in updates)
    return outputs, statistics

  outputs, statistics = keras.remat(forward)(*inputs)
  for owner, (mean, variance) in zip(owners, statistics, strict=True):
    owner.update_averages(mean, variance)
  return outputs
