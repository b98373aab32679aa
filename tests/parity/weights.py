"""Weights, a function of a variable's name, shape and a seed, in any library.

The recordings were made with them, so no weights have to be stored. They make
networks that are far from degenerate: masks and classes differ from pixel to
pixel and from slot to slot, and the residual branches are weak enough that
rounding is not amplified.
"""

import math
import zlib

import numpy as np

# A factor on kernels of these layers; 1.2 on all others. The first match wins.
KERNEL_GAINS = {
  "transformer_class_head": 6.0,
  "semantic_last_layer": 4.0,
  "qkv": 0.5,
}
# The same for gammas; 1 on all others.
GAMMA_GAINS = {
  "pixel_space_mask_batch_norm": 6.0,
  "_stem/": 1.0,
  "_conv3_bn/": 0.3,
  "_ffn_conv2_bn/": 0.3,
}
# And of basic blocks, where they are to be calm: without it the features of
# MaX-DeepLab-L grow from block to block until attention amplifies rounding.
CALM_GAMMA_GAINS = GAMMA_GAINS | {"_conv2_bn/": 0.3}


def weight(key: str, shape, seed: int, *, calm: bool = False) -> np.ndarray:
  """The value of the variable that the original calls `key`; float32.

  Args:
    key: of its checkpoints, without the ending.
    shape: of the variable.
    seed: of the recording.
    calm: whether the residual branches of basic blocks are weak, too.
  """
  rng = np.random.default_rng([seed, zlib.crc32(key.encode())])
  leaf = key.rpartition("/")[2]
  if leaf == "moving_variance":
    value = rng.uniform(0.5, 1.5, shape)
  else:
    gammas = CALM_GAMMA_GAINS if calm else GAMMA_GAINS
    value = _scaled(key, leaf, rng.standard_normal(shape), gammas)
  return np.asarray(value, np.float32)


def _scaled(key: str, leaf: str, normal: np.ndarray, gammas) -> np.ndarray:
  """Standard normal numbers as a variable of that kind may have them."""
  fan_in = math.prod(normal.shape[:-1])
  if leaf == "gamma":
    return (1.0 + 0.1 * normal) * _gain(key, gammas, 1.0)
  if leaf in ("beta", "bias", "moving_mean"):
    return 0.1 * normal
  if leaf == "memory_feature":
    return 2.0 * normal
  if leaf == "embeddings":
    return normal * normal.shape[-1] ** -0.5
  gain = _gain(key, KERNEL_GAINS, 1.2)
  if leaf == "depthwise_kernel":
    return normal * gain * math.prod(normal.shape[:2]) ** -0.5
  if fan_in > 1:
    # No common mode: rectified features are all positive.
    axes = tuple(range(normal.ndim - 1))
    normal = normal - normal.mean(axis=axes, keepdims=True)
  return normal * gain * float(fan_in) ** -0.5


def _gain(key: str, table, default: float) -> float:
  found = (gain for part, gain in table.items() if part in key)
  return next(found, default)
