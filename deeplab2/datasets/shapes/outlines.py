"""The outlines of the things, as tests on points, and their antialiased masks.

Local coordinates: the origin is the middle of the thing, and its furthest point
lies at distance one, or 1.13 (the square, whose corners stick out).
"""

import numpy as np

_SUPERSAMPLING = 3  # points a pixel and axis
_STAR_INNER_RADIUS = 0.42


def _disc(x, y):
  return x * x + y * y < 1.0


def _square(x, y):
  return np.maximum(np.abs(x), np.abs(y)) < 0.8


def _triangle(x, y):
  slope = np.sqrt(3.0)
  return (y > -0.5) & (y < 1.0 - slope * np.abs(x))


def _star(x, y):
  """Five points; one tenth of the turn is folded onto one straight edge."""
  sector = 2.0 * np.pi / 5.0
  angle = np.arctan2(x, y) % sector
  angle = np.minimum(angle, sector - angle)
  radius = np.hypot(x, y)
  u, v = radius * np.cos(angle), radius * np.sin(angle)
  inner_u = _STAR_INNER_RADIUS * np.cos(sector / 2)
  inner_v = _STAR_INNER_RADIUS * np.sin(sector / 2)
  return (1.0 - u) * inner_v > (1.0 - inner_u) * v


def _ring(x, y):
  squared = x * x + y * y
  return (squared < 1.0) & (squared > 0.55**2)


def _cross(x, y):
  x, y = np.abs(x), np.abs(y)
  return (np.minimum(x, y) < 0.3) & (np.maximum(x, y) < 0.95)


OUTLINES = {
  "disc": _disc,
  "square": _square,
  "triangle": _triangle,
  "star": _star,
  "ring": _ring,
  "cross": _cross,
}


def coverage(
  name: str,
  size: tuple[int, int],
  center: tuple[float, float],
  radius: float,
  angle: float,
  squash: float = 1.0,
) -> tuple[tuple[slice, slice], np.ndarray]:
  """How much of each pixel a thing covers, within its bounding box.

  Args:
    name: a key of `OUTLINES`.
    size: (height, width) of the image in pixels.
    center: (y, x) in pixels.
    radius: pixels from the middle to the furthest point.
    angle: turn in radians.
    squash: ratio of the two axes of the thing, in (0, 1].

  Returns:
    The box as slices of the image, and the share covered of each of its pixels,
    float32 in 0..1. The box is empty for a thing outside of the image.
  """
  box = tuple(
    _span(middle, 1.15 * radius, end)
    for middle, end in zip(center, size, strict=True)
  )
  y, x = (_points(span) - c for span, c in zip(box, center, strict=True))
  y, x = y[:, None], x[None, :]
  cos, sin = np.cos(angle) / radius, np.sin(angle) / radius
  inside = OUTLINES[name](cos * x + sin * y, (cos * y - sin * x) / squash)
  height, width = (span.stop - span.start for span in box)
  grid = (height, _SUPERSAMPLING, width, _SUPERSAMPLING)
  return box, inside.reshape(grid).mean(axis=(1, 3), dtype=np.float32)


def _span(middle: float, reach: float, end: int) -> slice:
  start = min(max(int(middle - reach), 0), end)
  return slice(start, max(min(int(middle + reach) + 2, end), start))


def _points(span: slice) -> np.ndarray:
  """Sample positions in pixels; pixel p covers p .. p + 1."""
  count = (span.stop - span.start) * _SUPERSAMPLING
  return span.start + (np.arange(count) + 0.5) / _SUPERSAMPLING
