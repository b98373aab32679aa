"""Sampling pixels without replacement, rare regions first (CMT-DeepLab).

Letters: b batch, p pixels, s samples, x whatever follows.
"""

import dataclasses

from keras import ops

from deeplab2.stateless_random import uniform

# Far enough below any log-weight that an excluded pixel is drawn last.
EXCLUDED = -99999.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelSampling:
  """How many pixels of an image a loss looks at, and which it prefers.

  Attributes:
    pixels: samples an image; all its pixels where it has fewer.
    temperature: a pixel of a region that covers the fraction a of the image
      is drawn in proportion to a ** -temperature. Zero prefers none; one gives
      every region the same number of samples, whatever its size.
  """

  pixels: int
  temperature: float

  def __post_init__(self):
    if self.pixels < 1:
      raise ValueError(
        f"pixels: expected at least 1, such as 4096; got {self.pixels}."
      )


def sample_pixels(sampling, area, candidate, seed):
  """Draws pixels by the Gumbel-top-k trick.

  Args:
    sampling: a PixelSampling.
    area: b p  float32; pixels in the region of each pixel.
    candidate: b p  bool; the others are drawn only where these run out.
    seed: as in `stateless_random`. The same seed draws the same pixels.

  Returns:
    b s  int32 pixel indices, all different within an image.
  """
  pixels = ops.shape(area)[1]
  fraction = ops.maximum(area, 1.0) / ops.cast(pixels, "float32")
  log_weight = -sampling.temperature * ops.log(fraction)
  log_weight += ops.where(candidate, 0.0, EXCLUDED)
  score = log_weight + gumbel_noise(ops.shape(area), seed)
  return ops.top_k(score, _at_most(sampling.pixels, pixels))[1]


def gumbel_noise(shape, seed):
  """Standard Gumbel noise that is a function of `seed` alone."""
  return -ops.log(-ops.log(uniform(shape, seed)))


def gather_pixels(values, index):
  """Rows of each image by their indices: b p x, b s -> b s x."""
  batch, pixels = ops.shape(values)[:2]
  flat = ops.reshape(values, (-1, *values.shape[2:]))
  first = ops.expand_dims(ops.arange(batch, dtype="int32") * pixels, 1)
  return ops.take(flat, ops.cast(index, "int32") + first, axis=0)


def _at_most(wanted, available):
  if isinstance(available, int):
    return min(wanted, available)
  return ops.minimum(wanted, available)
