"""What this machine does at best, as a limit for all else."""

import time

import numpy as np
import tensorflow as tf

_MATRIX = 2048
_COPIED_BYTES = 2**28
_TRIES = 5


def matmul_flops(dtype: str = "float32", extent: int = _MATRIX) -> float:
  """Floating-point operations a second of a large product of matrices."""
  left = tf.cast(tf.random.stateless_normal((extent, extent), (0, 1)), dtype)
  product = tf.function(tf.matmul)
  seconds = _best(lambda: product(left, left)[0, 0].numpy())
  return 2 * extent**3 / seconds


def copied_bytes(num_bytes: int = _COPIED_BYTES) -> float:
  """Bytes a second of the host's memory, those read and those written."""
  source = np.ones(num_bytes, np.uint8)
  target = np.empty_like(source)
  seconds = _best(lambda: np.copyto(target, source))
  return 2 * num_bytes / seconds


def _best(function) -> float:
  """The fastest of a few calls: whatever slows one down is not a limit."""
  function()
  seconds = []
  for _ in range(_TRIES):
    begun = time.perf_counter()
    function()
    seconds.append(time.perf_counter() - begun)
  return min(seconds)
