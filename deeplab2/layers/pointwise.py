"""1 x 1 convolutions: the channels of every pixel times a matrix.

TensorFlow has two kernels for that on CPUs. The one for matrices first brings
parts of both into an order that caches like; the one for convolutions reads
them as they lie, and does the ReLU and the sum behind it on the way. Which one
takes less time (two cores of an Intel CPU with AMX, `max_deeplab_s`):

- With gradients the product, 0.85 of the convolution in float32, 0.4 in
  bfloat16.
- Without, in float32, the product for wide kernels, 0.8 to 0.95; for narrow
  ones the convolution, up to 0.8 of the product.
- Without, in bfloat16, the convolution, 0.4 to 0.95.

With JAX and PyTorch it is the product for all of them. On accelerators nothing
was measured: there TensorFlow does what it is given, product or convolution.
"""

import math

import keras
from keras import ops

from deeplab2 import cpu_kernels

# Kernels of so many values are wide; with half of them both ways are equal.
_WIDE = 2**19


def pointwise(x, kernel, bias=None):
  """`x @ kernel + bias`, in the way that takes the least time.

  Args:
    x: b ... c, with one or two axes between.
    kernel: c d, with axes of extent one before them or without.
    bias: d; or None where a normalization by the batch follows. Then gradients
      are expected.

  Returns:
    b ... d
  """
  if keras.backend.backend() != "tensorflow":
    return shifted(ops.matmul(x, _of_rank(kernel, 2)), bias)
  if _convolves(x, kernel, bias):
    return shifted(ops.conv(x, _of_rank(kernel, len(x.shape))), bias)
  # TensorFlow takes twice as long to multiply each image with the matrix.
  rows = ops.reshape(x, (-1, x.shape[-1]))
  y = shifted(ops.matmul(rows, _of_rank(kernel, 2)), bias)
  return ops.reshape(y, (*ops.shape(x)[:-1], y.shape[-1]))


def _convolves(x, kernel, bias) -> bool:
  """Whether TensorFlow had better take its kernel for convolutions."""
  if not cpu_kernels.in_use():
    return len(kernel.shape) > 2  # as it is given
  if bias is None:
    return False
  return x.dtype != "float32" or math.prod(kernel.shape) < _WIDE


def _of_rank(kernel, rank):
  """A kernel with as many axes of extent one in front as it takes."""
  if len(kernel.shape) == rank:
    return kernel
  return ops.reshape(kernel, (*(1,) * (rank - 2), *kernel.shape[-2:]))


def shifted(y, bias=None):
  """`y + bias`, so that it costs nothing behind a product or convolution."""
  # This makes a BiasAdd, which TensorFlow fuses with what is in front of it.
  # What `+` makes it would join with the sums that follow.
  return y if bias is None else ops.add(y, bias)
