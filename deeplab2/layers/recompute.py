"""Gradient checkpointing: compute a part of a network again for its gradient.

The part runs twice, so its batch normalizations would move their averages
twice; here they move once, after the forward pass.
"""

import keras

from deeplab2.layers.batch_norm import deferred_updates


def recompute(function, *inputs):
  """`function(*inputs)`, of which only the inputs are kept for backward.

  Args:
    function: of built layers in training. It returns tensors in any structure,
      and its random numbers, if any, are those of seeds.
    inputs: tensors.
  """
  owners = []

  def forward(*tensors):
    with deferred_updates() as updates:
      outputs = function(*tensors)
    owners[:] = [owner for owner, _, _ in updates]
    statistics = tuple((mean, variance) for _, mean, variance in updates)
    return outputs, statistics

  outputs, statistics = keras.remat(forward)(*inputs)
  for owner, (mean, variance) in zip(owners, statistics, strict=True):
    owner.update_averages(mean, variance)
  return outputs


def runner(*, training: bool, again: bool):
  """How a network calls its parts: `run(layer, *inputs, **options)`.

  That is `layer(*inputs, training=training, **options)`, computed again in the
  backward pass of training if `again`. Inputs and options are tensors, lists of
  them, or None. A layer that is called for the first time runs once.
  """

  def run(layer, *inputs, **options):
    if not (training and again and layer.built):
      return layer(*inputs, training=training, **options)
    given = (inputs, options)
    leaves = keras.tree.flatten(given)

    def forward(*tensors):
      rest = iter(tensors)
      filled = [next(rest) if _is_float(leaf) else leaf for leaf in leaves]
      inputs, options = keras.tree.pack_sequence_as(given, filled)
      return layer(*inputs, training=True, **options)

    return recompute(forward, *filter(_is_float, leaves))

  return run


def _is_float(leaf) -> bool:
  """Whether it is a tensor that can have a gradient, unlike a seed."""
  return keras.ops.is_tensor(leaf) and keras.backend.is_float_dtype(
    keras.backend.standardize_dtype(leaf.dtype)
  )
