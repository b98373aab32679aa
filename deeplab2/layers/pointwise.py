"""1 x 1 convolutions: the channels of every pixel times a matrix.

TensorFlow has two kernels for that on CPUs. The one for matrices first brings
parts of both into an order that caches like; the one for convolutions reads
them as they lie. So a product is the faster one where there are many channels,
and for gradients: they take 0.85 of the time in float32, 0.4 in bfloat16.

With JAX and PyTorch the product is the faster one everywhere on CPUs.
"""

import math

import keras
from keras import ops

from deeplab2 import cpu_kernels

# Kernels of so many values are worth a product; with half of them it is equal.
_MANY = 2**19


def pointwise(x, kernel, bias=None):
  """`x @ kernel + bias`, in the way that takes the least time.

  Args:
    x: b ... c, with one or two axes between.
    kernel: c d, with axes of extent one before them or without.
    bias: d; or None where a normalization by the batch follows, and gradients.

  Returns:
    b ... d
  """
  matrix = ops.reshape(kernel, kernel.shape[-2:])
  if keras.backend.backend() != "tensorflow":
    return shifted(ops.matmul(x, matrix), bias)
  if _convolves(x, matrix, bias):
    extents = (1,) * (len(x.shape) - 2)
    window = ops.reshape(kernel, (*extents, *matrix.shape))
    return shifted(ops.conv(x, window), bias)
  # TensorFlow takes twice as long to multiply each image with the matrix.
  rows = ops.reshape(x, (-1, x.shape[-1]))
  y = shifted(ops.matmul(rows, matrix), bias)
  return ops.reshape(y, (*ops.shape(x)[:-1], y.shape[-1]))


def _convolves(x, matrix, bias) -> bool:
  """Whether TensorFlow had better take its kernel for convolutions."""
  if not cpu_kernels.in_use():
    return True
  many = x.dtype == "float32" and math.prod(matrix.shape) >= _MANY
  return not (bias is None or many)


def shifted(y, bias=None):
  """`y + bias`, so that it costs nothing behind a product or convolution."""
  # This makes a BiasAdd, which TensorFlow fuses with what is in front of it.
  # What `+` makes it would join with the sums that follow.
  return y if bias is None else ops.add(y, bias)
