"""A sheet of samples: what is stored, and what augmentation makes of it."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from deeplab2.visualize.legend import classes_by_area, draw_legend
from deeplab2.visualize.panoptic_picture import paint_panoptic

_GAP = 6  # pixels between panels
_BACKGROUND = 255


class Picture(NamedTuple):
  """An image with its label."""

  image: np.ndarray  # h w 3  uint8
  panoptic: np.ndarray  # h w


def sample_sheet(
  rows: list[list[Picture]], dataset, panel_height: int = 240
) -> np.ndarray:
  """Rows of pictures, each as image and painted label, above a legend.

  Args:
    rows: pictures of a row in order, such as the stored and the augmented one;
      all rows equally long.
    dataset: a DatasetDescription.
    panel_height: pixels of each panel; small images are enlarged to it.

  Returns:
    h w 3 uint8.

  Raises:
    ValueError: there is no row, or rows differ in length.
  """
  lengths = sorted({len(row) for row in rows})
  if len(lengths) != 1 or not lengths[0]:
    raise ValueError(
      f"rows: expected at least one, all equally long; got lengths {lengths}."
    )
  panels = [
    [panel for p in row for panel in _panels(p, dataset, panel_height)]
    for row in rows
  ]
  widths = [
    max(panel.shape[1] for panel in column)
    for column in zip(*panels, strict=True)
  ]
  lines = [_beside(line, widths) for line in panels]
  maps = [picture.panoptic for row in rows for picture in row]
  legend = draw_legend(
    classes_by_area(maps, dataset), dataset, lines[0].shape[1]
  )
  return np.concatenate([*lines, legend])


def _panels(picture: Picture, dataset, height: int) -> list[np.ndarray]:
  width = max(1, round(height * picture.image.shape[1] / len(picture.image)))
  image = Image.fromarray(picture.image).resize((width, height))
  ids = Image.fromarray(np.asarray(picture.panoptic, np.int32))
  ids = ids.resize((width, height), Image.Resampling.NEAREST)
  image = np.asarray(image)
  return [image, paint_panoptic(image, np.asarray(ids), dataset)]


def _beside(panels: list[np.ndarray], widths: list[int]) -> np.ndarray:
  padded = [
    np.pad(
      panel,
      ((0, _GAP), (0, width - panel.shape[1] + _GAP), (0, 0)),
      constant_values=_BACKGROUND,
    )
    for panel, width in zip(panels, widths, strict=True)
  ]
  return np.concatenate(padded, axis=1)
