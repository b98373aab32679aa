"""Which random numbers a step draws: a function of the run, step and device."""

import tensorflow as tf


def step_seed(seed: int, step, replica):
  """The int32 pair that is the source of what one device draws in a step."""
  return tf.random.experimental.stateless_fold_in(
    tf.stack([seed, tf.cast(step, tf.int32)]), replica
  )


def loss_seed(seed):
  """The losses' own: the model's draws must not say what they draw."""
  return tf.random.experimental.stateless_fold_in(seed, 1)
