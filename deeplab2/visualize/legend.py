"""A legend: the classes of some maps with their colours, in rows."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_TEXT = (40, 40, 44)
_BACKGROUND = (255, 255, 255)


def classes_by_area(maps, dataset) -> list[int]:
  """Class ids that occur in panoptic maps, the largest area first, no void.

  Args:
    maps: h w panoptic ids each.
    dataset: a DatasetDescription.
  """
  area = np.zeros(dataset.num_classes, np.int64)
  for panoptic in maps:
    ids, counts = np.unique(panoptic, return_counts=True)
    classes, _ = dataset.codec.decode(ids)
    valid = classes != dataset.ignore_label
    np.add.at(area, classes[valid], counts[valid])
  order = np.argsort(-area, kind="stable")
  return [int(i) for i in order if area[i]]


def draw_legend(
  classes: list[int], dataset, width: int, font_size: int = 14
) -> np.ndarray:
  """Swatches and names, wrapped to a width: h w 3 uint8.

  Args:
    classes: class ids, in the order of drawing.
    dataset: a DatasetDescription.
    width: pixels of the picture.
    font_size: pixels.
  """
  font = ImageFont.load_default(font_size)
  places = _places(
    [font.getlength(dataset.class_names[i]) for i in classes], width, font_size
  )
  rows = 1 + max((row for _, row in places), default=-1)
  step = 2 * font_size
  image = Image.new("RGB", (width, rows * step), _BACKGROUND)
  draw = ImageDraw.Draw(image)
  for class_id, (x, row) in zip(classes, places, strict=True):
    middle = row * step + step // 2
    half = font_size // 2
    draw.rounded_rectangle(
      (x, middle - half, x + 2 * half, middle + half),
      radius=font_size // 4,
      fill=tuple(dataset.colors[class_id]),
    )
    draw.text(
      (x + 3 * half, middle),
      dataset.class_names[class_id],
      _TEXT,
      font,
      anchor="lm",
    )
  return np.asarray(image)


def _places(lengths, width, font_size):
  """Left edge and row of each entry, a new row where one is full."""
  places = []
  x, row = 0, 0
  for length in lengths:
    taken = round(length) + 4 * font_size
    if x and x + taken > width:
      x, row = 0, row + 1
    places.append((x, row))
    x += taken
  return places
