"""COCO's panoptic PNG: a segment id a pixel, red + 256 green + 65536 blue."""

import os

import numpy as np
from PIL import Image

from deeplab2.datasets.pictures import opened_picture

_LARGEST_ID = 2**24 - 1


def read_segment_ids(path: str) -> np.ndarray:
  """Segment ids of a panoptic PNG.  h w  int32; 0 where unlabelled.

  Raises:
    ValueError: there is no such file, or it is no RGB picture of a size within
      reason.
  """
  if not os.path.isfile(path):
    raise ValueError(f"panoptic map: expected a file; there is no {path}.")
  try:
    with opened_picture(path) as picture:
      if picture.mode != "RGB":
        raise ValueError(
          f"expected an RGB PNG, id = R + 256 G + 65536 B; got mode "
          f"{picture.mode}."
        )
      return _ids(picture)
  except ValueError as error:
    raise ValueError(f"panoptic map: {path}: {error}") from error


def _ids(picture: Image.Image) -> np.ndarray:
  """Four bytes a pixel are an integer, of which the fourth byte is nothing."""
  words = np.frombuffer(picture.convert("RGBX").tobytes(), "<u4")
  ids = (words & _LARGEST_ID).astype(np.int32, copy=False)
  return ids.reshape(picture.height, picture.width)
