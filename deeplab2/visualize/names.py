"""Writes the names of segments into a picture, where they can be read.

A name stands at the point of its segment that is farthest from the segment's
border, so it lies inside of rings and crescents too. Large segments come
first; a name that would cover another or has no room is left out.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

_FILL = (255, 255, 255)
_OUTLINE = (20, 20, 24)
_ROOM = 0.55  # least distance to the border, in heights of the text
_FINE = 512  # pixels of the longer side that are enough to find a place


class Label(NamedTuple):
  """A name and where its middle goes."""

  text: str
  x: int  # pixels from the left
  y: int  # pixels from the top


def label_segments(panoptic: np.ndarray, dataset, font_size: int):
  """Labels for the segments that have room for a name, largest first.

  Args:
    panoptic: h w panoptic ids.
    dataset: a DatasetDescription.
    font_size: pixels.

  Returns:
    A list of Label.
  """
  # Distances take long in photographs; every n-th pixel tells as much.
  step = max(1, max(panoptic.shape) // _FINE)
  panoptic = panoptic[::step, ::step]
  ids, place, area = np.unique(
    panoptic, return_inverse=True, return_counts=True
  )
  place = place.reshape(panoptic.shape) + 1
  boxes = ndimage.find_objects(place)
  labels = []
  for i in np.argsort(-area, kind="stable"):
    class_id, _ = dataset.codec.decode(int(ids[i]))
    if class_id == dataset.ignore_label:
      continue
    x, y, room = _innermost(place[boxes[i]] == i + 1)
    if room * step >= _ROOM * font_size:
      rows, columns = boxes[i]
      text = dataset.class_names[class_id]
      x, y = x + columns.start, y + rows.start
      labels.append(Label(text, x * step, y * step))
  return labels


def write_labels(
  picture: np.ndarray, labels: list[Label], font_size: int
) -> np.ndarray:
  """White text with a dark outline: h w 3 uint8 -> h w 3 uint8."""
  image = Image.fromarray(picture)
  draw = ImageDraw.Draw(image)
  font = ImageFont.load_default(font_size)
  stroke = max(1, font_size // 8)
  taken = []
  for label in labels:
    box = draw.textbbox(
      (label.x, label.y), label.text, font, anchor="mm", stroke_width=stroke
    )
    shift = _shift_inside(box, image.size)
    box = _moved(box, shift)
    if not _fits(box, image.size) or any(_overlap(box, t) for t in taken):
      continue
    taken.append(box)
    draw.text(
      (label.x + shift[0], label.y + shift[1]),
      label.text,
      _FILL,
      font,
      anchor="mm",
      stroke_width=stroke,
      stroke_fill=_OUTLINE,
    )
  return np.asarray(image)


def _innermost(mask):
  """The pixel farthest from the outside of a mask: x, y and that distance."""
  distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
  y, x = np.unravel_index(distance.argmax(), mask.shape)
  return int(x), int(y), float(distance[y, x])


def _shift_inside(box, size):
  """How to move a box so that it lies in a picture of that size, if it can."""
  left, top, right, bottom = box
  return (
    max(0, -left) or min(0, size[0] - right),
    max(0, -top) or min(0, size[1] - bottom),
  )


def _moved(box, shift):
  return tuple(value + shift[i % 2] for i, value in enumerate(box))


def _fits(box, size):
  return box[0] >= 0 and box[1] >= 0 and box[2] <= size[0] and box[3] <= size[1]


def _overlap(one, other):
  return (
    one[0] < other[2]
    and other[0] < one[2]
    and one[1] < other[3]
    and other[1] < one[3]
  )
