"""Mirroring left and right."""

import tensorflow as tf

from deeplab2.structures import Sample


def flip(sample: Sample) -> Sample:
  """Image and label with their columns in reverse order."""
  return Sample(*(tf.reverse(value, axis=[1]) for value in sample))


def random_flip(sample: Sample, seed: tf.Tensor) -> Sample:
  """Mirrors image and label together, with probability one half."""
  mirror = tf.random.stateless_uniform([], seed) < 0.5
  return tf.cond(mirror, lambda: flip(sample), lambda: sample)
