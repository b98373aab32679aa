"""Normalization by the statistics of the batch itself.

Each function takes gamma and beta, broadcastable or [c], and returns what x
becomes, in its dtype or float32, and the mean and variance it had, float32.
"""

import math

import keras
from keras import ops


def normalize(x, gamma, beta, epsilon, reduced_axes, synchronized):
  """Over any axes.

  Args:
    x: float tensor.
    gamma, beta: float32, of x's rank, with ones at the reduced axes.
    epsilon: added to the variance.
    reduced_axes: those that share a mean and a variance.
    synchronized: over the batches of all replicas, which TensorFlow alone has;
      a program of another backend sees the whole batch.
  """
  x = ops.cast(x, "float32")
  synchronized = synchronized and keras.backend.backend() == "tensorflow"
  mean, variance = ops.moments(
    x, axes=reduced_axes, keepdims=True, synchronized=synchronized
  )
  scale = gamma * ops.rsqrt(variance + epsilon)
  return x * scale + (beta - mean * scale), mean, variance


def normalize_channels(x, gamma, beta, epsilon):
  """Over all axes but the last, on TensorFlow; gamma and beta are [c].

  One kernel forward and one backward, where `normalize` has a dozen: twice as
  fast on CPUs, and nothing but x is kept for the gradient.
  """
  import tensorflow as tf

  shape = ops.shape(x)
  unused = tf.constant([], tf.float32)
  kernel = tf.raw_ops.FusedBatchNormV3(
    # TensorFlow would make one kernel of this and a ReLU behind it, if it saw
    # no other shape in between; oneDNN's then turns NaN into 0.
    x=tf.reshape(x, (1, 1, -1, shape[-1])),
    scale=gamma,
    offset=beta,
    mean=unused,
    variance=unused,
    epsilon=epsilon,
    is_training=True,
  )
  # The kernel's variance is that of the population the batch was drawn from.
  count = math.prod(shape[:-1])
  count = count if isinstance(count, int) else tf.cast(count, tf.float32)
  variance = kernel.batch_variance * (1 - 1 / count)
  return tf.reshape(kernel.y, shape), kernel.batch_mean, variance


def has_kernel(axes) -> bool:
  """Whether `normalize_channels` can stand for `normalize` in one batch."""
  return keras.backend.backend() == "tensorflow" and tuple(axes) == (-1,)


def has_replicas() -> bool:
  """Whether other replicas have batches, on TensorFlow; elsewhere unknown."""
  if keras.backend.backend() != "tensorflow":
    return True
  import tensorflow as tf

  return tf.distribute.get_strategy().num_replicas_in_sync > 1
