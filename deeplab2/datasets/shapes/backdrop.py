"""The stuff of a scene: textured regions with irregular borders."""

import numpy as np

from deeplab2.datasets.shapes.textures import TEXTURES, Size, smooth_noise

_GROUNDS = ("grass", "sand", "water")


class Backdrop:
  """A picture and its map of stuff, grown by laying one region on another."""

  def __init__(self, rng: np.random.Generator, size: Size):
    self._rng = rng
    self._size = size
    self.image = np.zeros((*size, 3), np.float32)  # h w 3, 0..255
    self.stuff = np.full(size, "", "<U5")  # h w, name of the stuff

  def lay(self, name: str, depth: np.ndarray):
    """Covers the pixels of positive depth; one pixel of border is blended.

    Args:
      name: a key of `TEXTURES`.
      depth: h w, signed distance in pixels into the region.
    """
    texture = TEXTURES[name](self._rng, self._size)
    share = np.clip(depth + 0.5, 0, 1).astype(np.float32)[..., None]
    self.image += share * (texture - self.image)
    self.stuff[depth > 0] = name


def draw_backdrop(rng: np.random.Generator, size: Size) -> Backdrop:
  """Sky or a wall above one or two grounds; at times a house and a pond."""
  backdrop = Backdrop(rng, size)
  height = size[0]
  everywhere = np.full(size, np.inf)
  above = "sky" if rng.random() < 0.75 else "brick"
  backdrop.lay(above, everywhere)
  horizon = height * rng.uniform(0.25, 0.55)
  if above == "sky" and rng.random() < 0.3:
    backdrop.lay("brick", _block(rng, size, horizon))
  grounds = rng.permutation(_GROUNDS)
  backdrop.lay(grounds[0], _below(rng, size, horizon))
  if rng.random() < 0.5:
    second = horizon + height * rng.uniform(0.2, 0.35)
    backdrop.lay(grounds[1], _below(rng, size, second))
  elif rng.random() < 0.6:
    backdrop.lay(grounds[1], _patch(rng, size, horizon))
  return backdrop


def _below(rng: np.random.Generator, size: Size, level: float) -> np.ndarray:
  """Depth below a wavy, tilted line at about `level` pixels from the top."""
  height, width = size
  wave = smooth_noise(rng, (1, width), (1, 28))[0] - 0.5
  ripple = smooth_noise(rng, (1, width), (1, 7))[0] - 0.5
  tilt = np.linspace(-1, 1, width) * rng.normal(0, 0.03)
  line = level + height * (0.16 * wave + 0.035 * ripple + tilt)
  return np.arange(height)[:, None] + 0.5 - line[None, :]


def _block(rng: np.random.Generator, size: Size, horizon: float) -> np.ndarray:
  """Depth in an upright rectangle that reaches down past the horizon."""
  height, width = size
  top = horizon * rng.uniform(0.15, 0.5)
  left = width * rng.uniform(-0.1, 0.7)
  right = left + width * rng.uniform(0.25, 0.5)
  y = np.arange(height)[:, None] + 0.5
  x = np.arange(width)[None, :] + 0.5
  return np.minimum(y - top, np.minimum(x - left, right - x))


def _patch(rng: np.random.Generator, size: Size, horizon: float) -> np.ndarray:
  """Depth in a lobed blob somewhere below the horizon."""
  height, width = size
  center_y = rng.uniform(horizon + 0.15 * height, 0.95 * height)
  center_x = rng.uniform(0.15, 0.85) * width
  radius_y = height * rng.uniform(0.12, 0.2)
  radius_x = width * rng.uniform(0.2, 0.35)
  y = (np.arange(height)[:, None] + 0.5 - center_y) / radius_y
  x = (np.arange(width)[None, :] + 0.5 - center_x) / radius_x
  lobes = 0.9 * (smooth_noise(rng, size, 19) - 0.5)
  return (1.0 - np.hypot(y, x) + lobes) * radius_y
