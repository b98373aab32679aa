"""The lines between the segments of a map."""

import numpy as np
from scipy import ndimage


def contours(panoptic: np.ndarray, width: int = 1) -> np.ndarray:
  """Pixels beside which another segment begins: h w -> h w bool.

  Args:
    panoptic: h w ids.
    width: pixels; the lines grow to both sides.
  """
  lines = np.zeros(panoptic.shape, bool)
  lines[:, 1:] |= panoptic[:, 1:] != panoptic[:, :-1]
  lines[1:] |= panoptic[1:] != panoptic[:-1]
  if width > 1:
    lines = ndimage.binary_dilation(lines, np.ones((width, width), bool))
  return lines
