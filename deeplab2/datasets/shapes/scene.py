"""One synthetic picture with its panoptic truth, a function of a generator."""

import colorsys
from typing import NamedTuple

import numpy as np

from deeplab2.datasets.shapes.backdrop import draw_backdrop
from deeplab2.datasets.shapes.classes import STUFF, THINGS
from deeplab2.datasets.shapes.outlines import coverage
from deeplab2.datasets.shapes.textures import Size, smooth_noise

_MIN_VISIBLE = 0.4  # share of a thing that the things before it leave to see
_MIN_THING_AREA = 16  # pixels
_TYPICAL = 0.85  # share of the things that have their class's hue
_MIN_STUFF_AREA = 48  # pixels; less is left unlabelled


class Segment(NamedTuple):
  """One segment of a scene, under its id in the map."""

  id: int  # 1..2**24 - 1
  category_id: int
  iscrowd: int


class Scene(NamedTuple):
  image: np.ndarray  # h w 3  uint8
  ids: np.ndarray  # h w  int32 segment ids; 0 where unlabelled
  segments: list[Segment]


class Stroke(NamedTuple):
  """Where something is drawn: a box and how much of each pixel it covers."""

  box: tuple[slice, slice]
  share: np.ndarray  # h w of the box, 0..1

  @property
  def inside(self) -> np.ndarray:
    return self.share > 0.5


class _Canvas:
  """The picture so far: who owns each pixel, and how large each was whole."""

  def __init__(self, image: np.ndarray, owner: np.ndarray):
    self.image = image  # h w 3  float32
    self.owner = owner  # h w  int32; index of `segments`, -1 where void
    self.segments: list[tuple[int, int]] = []  # category id, iscrowd
    self.whole_area: list[int] = []  # pixels before anything hid it

  @property
  def size(self) -> Size:
    return self.owner.shape

  def add_segment(self, category: int, iscrowd: int, area: int) -> int:
    self.segments.append((category, iscrowd))
    self.whole_area.append(area)
    return len(self.segments) - 1

  def would_hide_too_much(self, stroke: Stroke, first_thing: int) -> bool:
    """Whether drawing this leaves too little of some thing drawn before."""
    count = len(self.segments) + 1
    covered = self.owner[stroke.box][stroke.inside] + 1
    left = np.bincount(self.owner.ravel() + 1, minlength=count)
    left = (left - np.bincount(covered, minlength=count))[1 + first_thing :]
    needed = _MIN_VISIBLE * np.array(self.whole_area[first_thing:])
    return bool(np.any(left < np.maximum(needed, _MIN_THING_AREA)))

  def paint(self, stroke: Stroke, color: np.ndarray, owner: int):
    """Lays a colour, or a picture of the box's size, over the stroke."""
    region = self.image[stroke.box]
    region += stroke.share[..., None] * (color - region)
    self.owner[stroke.box][stroke.inside] = owner


def draw_scene(rng: np.random.Generator, size: Size) -> Scene:
  """A scene of about `size` 129 x 129: stuff, 1 to 6 things, light and noise.

  One scene in five has something unlabelled in it, one in eight a crowd.
  """
  canvas = _start(rng, size)
  first_thing = len(canvas.segments)
  if rng.random() < 0.2:
    _add_unlabelled(rng, canvas)
  if rng.random() < 0.125:
    _add_crowd(rng, canvas)
  wanted = int(rng.integers(1, 7))
  for _ in range(wanted):
    _add_thing(rng, canvas, first_thing)
  image = _photograph(rng, canvas.image)
  return Scene(image, *_label(rng, canvas, first_thing))


def _start(rng: np.random.Generator, size: Size) -> _Canvas:
  backdrop = draw_backdrop(rng, size)
  owner = np.full(size, -1, np.int32)
  canvas = _Canvas(backdrop.image, owner)
  for name, category in STUFF.items():
    inside = backdrop.stuff == name
    if inside.any():
      owner[inside] = canvas.add_segment(category, 0, int(inside.sum()))
  return canvas


def _add_thing(rng: np.random.Generator, canvas: _Canvas, first_thing: int):
  """Draws a thing where it hides no other beyond recognition; else none."""
  for _ in range(8):
    stroke, name, radius = _random_stroke(rng, canvas.size)
    area = int(stroke.inside.sum())
    if area < _MIN_THING_AREA:
      continue
    if canvas.would_hide_too_much(stroke, first_thing):
      continue
    _cast_shadow(rng, canvas, stroke)
    behind = canvas.image[stroke.box][stroke.inside].mean(axis=0)
    picture = _surface(
      rng, stroke.share.shape, _color(rng, name, behind), radius
    )
    owner = canvas.add_segment(THINGS[name], 0, area)
    canvas.paint(stroke, picture, owner)
    return


def _random_stroke(rng: np.random.Generator, size: Size):
  """A thing of any class, place, turn and size; sizes by their logarithm."""
  name = str(rng.choice(list(THINGS)))
  largest = 0.32 * min(size)
  radius = float(np.exp(rng.uniform(np.log(0.22 * largest), np.log(largest))))
  center = (
    rng.uniform(0.5 * radius, size[0] - 0.5 * radius),
    rng.uniform(0.5 * radius, size[1] - 0.5 * radius),
  )
  angle = rng.uniform(0, 2 * np.pi)
  squash = rng.uniform(0.8, 1.0)
  box, share = coverage(name, size, center, radius, angle, squash)
  return Stroke(box, share), name, radius


def _cast_shadow(rng: np.random.Generator, canvas: _Canvas, stroke: Stroke):
  """Darkens what lies to the lower right of the stroke, within its box."""
  down, right = rng.integers(1, 4, 2)
  shadow = np.zeros_like(stroke.share)
  shadow[down:, right:] = stroke.share[:-down, :-right]
  canvas.image[stroke.box] *= 1.0 - 0.35 * shadow[..., None]


def _color(
  rng: np.random.Generator, name: str, behind: np.ndarray
) -> np.ndarray:
  """A thing's colour, as far from what is behind it as chance allows.

  As oranges are orange: most have a hue near that of their class.
  """
  typical = rng.random() < _TYPICAL
  hue = list(THINGS).index(name) / len(THINGS)
  colors = []
  for _ in range(8):
    turn = hue + rng.normal(0, 0.04) if typical else rng.random()
    hsv = turn % 1.0, rng.uniform(0.4, 1.0), rng.uniform(0.4, 1.0)
    colors.append(255 * np.float32(colorsys.hsv_to_rgb(*hsv)))
    if np.linalg.norm(colors[-1] - behind) > 80:
      return colors[-1]
  return max(colors, key=lambda color: np.linalg.norm(color - behind))


def _surface(
  rng: np.random.Generator, size: Size, color: np.ndarray, radius: float
) -> np.ndarray:
  """A box of colour: shaded from one side, and at times striped.  h w 3"""
  y, x = np.ogrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
  angle = rng.uniform(0, 2 * np.pi)
  along = np.cos(angle) * x + np.sin(angle) * y
  shade = 1.0 + rng.uniform(0.05, 0.25) * along
  if rng.random() < 0.3:
    stripes = np.sin(along * rng.uniform(2, 4) * np.pi + rng.uniform(0, 6)) > 0
    shade = shade * np.where(stripes & (radius > 8), 0.72, 1.0)
  return np.float32(color) * np.float32(shade)[..., None]


def _add_crowd(rng: np.random.Generator, canvas: _Canvas):
  """A heap of small things of one class, labelled as a single crowd."""
  name = str(rng.choice(list(THINGS)))
  height, width = canvas.size
  middle = rng.uniform(0.2, 0.8, 2) * (height, width)
  owner = canvas.add_segment(THINGS[name], 1, 0)
  for _ in range(int(rng.integers(8, 14))):
    center = middle + rng.normal(0, 0.06 * min(height, width), 2)
    radius = rng.uniform(0.035, 0.05) * min(height, width)
    angle = rng.uniform(0, 2 * np.pi)
    stroke = Stroke(*coverage(name, canvas.size, tuple(center), radius, angle))
    if not stroke.inside.any():
      continue
    _cast_shadow(rng, canvas, stroke)
    behind = canvas.image[stroke.box][stroke.inside].mean(axis=0)
    canvas.paint(stroke, _color(rng, name, behind), owner)


def _add_unlabelled(rng: np.random.Generator, canvas: _Canvas):
  """A dark lump that is no class of the set."""
  height, width = canvas.size
  y, x = np.ogrid[:height, :width]
  center_y, center_x = rng.uniform(0.1, 0.9, 2) * (height, width)
  distance = np.hypot(y - center_y, x - center_x) / (0.13 * min(height, width))
  lobes = smooth_noise(rng, canvas.size, 8)
  share = np.clip(6 * (0.6 + lobes - distance), 0, 1).astype(np.float32)
  whole = (slice(0, height), slice(0, width))
  lump = np.float32([46, 44, 50]) * (0.6 + 0.8 * lobes[..., None])
  canvas.paint(Stroke(whole, share), lump, -1)


def _photograph(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
  """Light from one side, its colour, and the noise of a sensor.  uint8"""
  height, width = image.shape[:2]
  y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
  fall_y, fall_x = rng.normal(0, 0.12, 2)
  light = rng.uniform(0.75, 1.1) * (1.0 + fall_y * y + fall_x * x)
  tone = 1.0 + rng.normal(0, 0.04, 3)
  noise = rng.standard_normal(image.shape, np.float32) * rng.uniform(1, 7)
  lit = image * np.float32(light)[..., None] * np.float32(tone) + noise
  return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def _label(rng: np.random.Generator, canvas: _Canvas, first_thing: int):
  """Ids, spread over 24 bits as in COCO, and segments of what can be seen."""
  area = np.bincount(
    canvas.owner.ravel() + 1, minlength=len(canvas.segments) + 1
  )
  ids = np.zeros(len(area), np.int32)  # the first stands for void
  segments = []
  for number, (category, iscrowd) in enumerate(canvas.segments):
    smallest = 1 if number >= first_thing else _MIN_STUFF_AREA
    if area[number + 1] < smallest:
      continue
    new = int(rng.integers(1, 2**24))
    while new in ids:
      new = int(rng.integers(1, 2**24))
    ids[number + 1] = new
    segments.append(Segment(new, category, iscrowd))
  return ids[canvas.owner + 1], segments
