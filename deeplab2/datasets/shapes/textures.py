"""What sky, brick, grass, sand and water look like: h w 3 float32, 0..255."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

Size = tuple[int, int]  # height, width


def smooth_noise(
  rng: np.random.Generator, size: Size, cell: Size | int
) -> np.ndarray:
  """Random values in about 0..1 at a grid of cells, bicubic in between.  h w"""
  cells = (cell, cell) if isinstance(cell, int) else cell
  grid = [n // c + 2 for n, c in zip(size, cells, strict=True)]
  coarse = Image.fromarray(rng.random(grid, dtype=np.float32))
  whole = tuple(
    g * c for g, c in zip(reversed(grid), reversed(cells), strict=True)
  )
  fine = np.asarray(coarse.resize(whole, Image.Resampling.BICUBIC))
  return fine[: size[0], : size[1]]


def _tint(rng: np.random.Generator, color: Sequence[int], spread: float = 18):
  """The colour, a little different in every image."""
  common = rng.normal(0, spread)
  return np.float32(color) + common + rng.normal(0, spread / 3, 3)


def _paint(color, brightness: np.ndarray) -> np.ndarray:
  return (np.float32(color) * brightness[..., None]).astype(np.float32)


def sky(rng: np.random.Generator, size: Size) -> np.ndarray:
  """Lighter towards the ground, with clouds."""
  down = np.linspace(0.85, 1.15, size[0], dtype=np.float32)[:, None]
  blue = _paint(_tint(rng, (120, 175, 235)), np.broadcast_to(down, size))
  cloud = smooth_noise(rng, size, (14, 31)) + smooth_noise(rng, size, 9) / 3
  share = np.clip(2.5 * (cloud - rng.uniform(0.75, 1.1)), 0, 0.85)[..., None]
  return blue + share * (np.float32([245, 246, 250]) - blue)


def brick(rng: np.random.Generator, size: Size) -> np.ndarray:
  """Rows of stones, each its own shade, every second row shifted by half."""
  height = int(rng.integers(6, 10))
  width = 2 * height + int(rng.integers(0, 4))
  y = np.arange(size[0])[:, None] + rng.integers(height)
  row = y // height
  x = np.arange(size[1])[None, :] + (row % 2) * (width // 2)
  shades = rng.normal(1.0, 0.1, (size[0] // height + 2, size[1] // width + 3))
  stone = _paint(_tint(rng, (160, 82, 66)), shades[row, x // width])
  joint = (y % height == 0) | (x % width == 0)
  return np.where(joint[..., None], _tint(rng, (178, 170, 160), 10), stone)


def grass(rng: np.random.Generator, size: Size) -> np.ndarray:
  """Upright blades over slow patches."""
  blades = smooth_noise(rng, size, (7, 2)) - 0.5
  patches = smooth_noise(rng, size, 24) - 0.5
  brightness = 1.0 + 0.75 * blades + 0.35 * patches
  return _paint(_tint(rng, (92, 145, 52)), brightness)


def sand(rng: np.random.Generator, size: Size) -> np.ndarray:
  """Grains and shallow ripples."""
  grains = rng.normal(0, 0.06, size)
  ripples = smooth_noise(rng, size, (9, 40)) - 0.5
  return _paint(_tint(rng, (214, 190, 136)), 1.0 + grains + 0.16 * ripples)


def water(rng: np.random.Generator, size: Size) -> np.ndarray:
  """Level waves with bright crests."""
  y = np.arange(size[0], dtype=np.float32)[:, None]
  bend = smooth_noise(rng, size, (30, 22))
  period = rng.uniform(5, 9)
  wave = np.sin(2 * np.pi * (y / period + 1.6 * bend))
  crest = np.clip(wave - 0.6, 0, 1) * smooth_noise(rng, size, (6, 14))
  deep = _paint(_tint(rng, (38, 104, 138)), 1.0 + 0.13 * wave)
  return deep + 260.0 * crest[..., None]


TEXTURES = {
  "sky": sky,
  "brick": brick,
  "grass": grass,
  "sand": sand,
  "water": water,
}
