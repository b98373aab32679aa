"""1 x 1 convolutions: the channels of every pixel times a matrix.

TensorFlow has two kernels for that on CPUs. The one for matrices first brings
parts of both into an order that caches like; the one for convolutions reads
them as they lie. So a product of matrices is the faster one where there are
many channels, and for gradients: 1.15 times in float32, 2.5 times in bfloat16.
(Measured on an Intel CPU with AMX; see g3doc/performance.md.)
"""

import math

from keras import ops

from deeplab2 import cpu_kernels

# Kernels of so many values are worth a product; with half of them it is equal.
_MANY = 2**19


def pointwise(x, kernel, bias=None):
  """`x @ kernel + bias`, by the faster of two ways to compute it.

  Args:
    x: b ... c, with one or two axes between.
    kernel: c d, with axes of extent one before them or without.
    bias: d; or None where a normalization by the batch follows, and gradients.

  Returns:
    b ... d
  """
  if _prefers_product(x, kernel, bias):
    return _product(x, kernel, bias)
  extents = (1,) * (len(x.shape) - 2)
  kernel = ops.reshape(kernel, (*extents, *kernel.shape[-2:]))
  return shifted(ops.conv(x, kernel), bias)


def _prefers_product(x, kernel, bias) -> bool:
  if not cpu_kernels.in_use():
    return False
  many = x.dtype == "float32" and math.prod(kernel.shape) >= _MANY
  return bias is None or many


def _product(x, kernel, bias):
  # Of two matrices: broadcasting the kernel takes twice as long.
  rows = ops.reshape(x, (-1, x.shape[-1]))
  y = shifted(ops.matmul(rows, ops.reshape(kernel, kernel.shape[-2:])), bias)
  return ops.reshape(y, (*ops.shape(x)[:-1], y.shape[-1]))


def shifted(y, bias=None):
  """`y + bias`, so that it costs nothing behind a product or convolution."""
  # This makes a BiasAdd, which TensorFlow fuses with what is in front of it.
  # What `+` makes it would join with the sums that follow.
  return y if bias is None else ops.add(y, bias)
