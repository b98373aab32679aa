"""Which random numbers a step draws: a function of run, step and image."""

import tensorflow as tf


def step_seed(seed: int, step, first_image=0):
  """The source of what a part of a step's batch draws in it.

  Args:
    seed: of the run.
    step: its number.
    first_image: number in the step's batch of the first image of the part.

  Returns:
    An int32 triple, as `stateless_random` takes it.
  """
  pair = tf.random.experimental.stateless_fold_in(
    tf.stack([seed, tf.cast(step, tf.int32)]), 0
  )
  return tf.concat([pair, [tf.cast(first_image, tf.int32)]], axis=0)


def loss_seed(seed):
  """The losses' own: the model's draws must not say what they draw."""
  pair = tf.random.experimental.stateless_fold_in(seed[:2], 1)
  return tf.concat([pair, seed[2:]], axis=0)
