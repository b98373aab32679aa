"""Paints a panoptic map over its image: colours, contours and names."""

import numpy as np

from deeplab2.visualize.colors import color_panoptic
from deeplab2.visualize.contours import contours
from deeplab2.visualize.names import label_segments, write_labels

_LINE_OPACITY = 0.85


def paint_panoptic(
  image: np.ndarray,
  panoptic: np.ndarray,
  dataset,
  opacity: float = 0.6,
  names: bool = True,
) -> np.ndarray:
  """The image with each segment in its colour, outlined and named.

  Void stays as it is in the image.

  Args:
    image: h w 3 uint8.
    panoptic: h w panoptic ids.
    dataset: a DatasetDescription.
    opacity: of the colours, 0..1.
    names: whether segments that have room get their class name.

  Returns:
    h w 3 uint8.
  """
  _check(image, panoptic, opacity)
  classes, _ = dataset.codec.decode(panoptic)
  weight = np.where(classes == dataset.ignore_label, 0.0, opacity)[..., None]
  picture = image * (1 - weight) + color_panoptic(panoptic, dataset) * weight
  line = contours(panoptic, line_width(panoptic.shape))
  picture[line] += (255 - picture[line]) * _LINE_OPACITY
  picture = np.round(picture).astype(np.uint8)
  if not names:
    return picture
  size = font_size(panoptic.shape)
  return write_labels(picture, label_segments(panoptic, dataset, size), size)


def line_width(shape: tuple[int, int]) -> int:
  """Pixels of a contour that looks thin in a picture of that height, width."""
  return max(1, round(min(shape) / 400))


def font_size(shape: tuple[int, int]) -> int:
  """Pixels of a text that is legible in a picture of that height, width."""
  return int(np.clip(min(shape) / 26, 10, 40))


def _check(image, panoptic, opacity):
  if image.dtype != np.uint8 or image.shape != (*panoptic.shape, 3):
    raise ValueError(
      f"image: expected uint8 of shape {(*panoptic.shape, 3)}, as the map has "
      f"it; got {image.dtype} of {image.shape}."
    )
  if not 0 <= opacity <= 1:
    raise ValueError(
      f"opacity: expected a value of 0..1, such as 0.6; got {opacity}."
    )
