"""Sheets that show images beside their truth and their prediction."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deeplab2.visualize.legend import classes_by_area, draw_legend
from deeplab2.visualize.panoptic_picture import paint_panoptic

_GAP = 8  # pixels between panels
_MARGIN = 16
_HEAD = 28  # pixels of the line of captions
_FONT_SIZE = 15
_TEXT = (40, 40, 44)
_BACKGROUND = 255


class Example(NamedTuple):
  """One row of a sheet; maps that are None leave out their panel."""

  image: np.ndarray  # h w 3 uint8
  truth: np.ndarray | None  # h w panoptic ids
  prediction: np.ndarray | None  # h w panoptic ids


def comparison_sheet(
  examples: list[Example], dataset, panel_height: int = 320
) -> np.ndarray:
  """Rows of image | truth | prediction with a legend: h w 3 uint8.

  Small images are enlarged, so that names and contours can be read.

  Args:
    examples: at least one, all with the same panels.
    dataset: a DatasetDescription.
    panel_height: pixels of each panel.

  Raises:
    ValueError: there is no example, or their panels differ.
  """
  captions = _captions(examples)
  rows = [_panels(example, dataset, panel_height) for example in examples]
  widths = [
    max(p.shape[1] for p in column) for column in zip(*rows, strict=True)
  ]
  lines = [_beside(row, widths) for row in rows]
  width = lines[0].shape[1]
  maps = [m for e in examples for m in e[1:] if m is not None]
  parts = [_caption_line(captions, widths)]
  for line in lines:
    parts += [line, _blank(_GAP, width)]
  parts.append(draw_legend(classes_by_area(maps, dataset), dataset, width))
  sheet = np.concatenate(parts)
  margins = ((_MARGIN // 2, _MARGIN), (_MARGIN, _MARGIN), (0, 0))
  return np.pad(sheet, margins, constant_values=_BACKGROUND)


def _captions(examples):
  shown = {
    tuple(name for name, x in e._asdict().items() if x is not None)
    for e in examples
  }
  if len(shown) != 1:
    raise ValueError(
      "examples: expected at least one, all with the same of truth and "
      f"prediction; got {sorted(shown)}."
    )
  return shown.pop()


def _panels(example, dataset, height):
  """The pictures of a row, all of that height."""
  size = (
    round(height * example.image.shape[1] / example.image.shape[0]),
    height,
  )
  image = np.asarray(
    Image.fromarray(example.image).resize(size, Image.Resampling.BICUBIC)
  )
  panels = [image]
  for panoptic in example[1:]:
    if panoptic is not None:
      panels.append(
        paint_panoptic(image, _resized_map(panoptic, size), dataset)
      )
  return panels


def _resized_map(panoptic, size):
  """Nearest neighbours: a map has no values between its ids."""
  picture = Image.fromarray(np.asarray(panoptic, np.int32))
  return np.asarray(picture.resize(size, Image.Resampling.NEAREST))


def _beside(panels, widths):
  """Panels side by side, each in the middle of its column."""
  columns = []
  for i, (panel, width) in enumerate(zip(panels, widths, strict=True)):
    space = width - panel.shape[1]
    gap = _GAP if i else 0
    sides = (gap + space // 2, space - space // 2)
    columns.append(
      np.pad(panel, ((0, 0), sides, (0, 0)), constant_values=_BACKGROUND)
    )
  return np.concatenate(columns, axis=1)


def _caption_line(captions, widths):
  line = Image.fromarray(_blank(_HEAD, sum(widths) + _GAP * (len(widths) - 1)))
  draw = ImageDraw.Draw(line)
  font = ImageFont.load_default(_FONT_SIZE)
  left = 0
  for caption, width in zip(captions, widths, strict=True):
    middle = (left + width // 2, _HEAD // 2)
    draw.text(middle, caption, _TEXT, font, anchor="mm")
    left += width + _GAP
  return np.asarray(line)


def _blank(height, width):
  return np.full((height, width, 3), _BACKGROUND, np.uint8)
