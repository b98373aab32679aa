"""Whatever a user calls an image, as 8-bit RGB."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

# Above it the maps of one image take several gigabytes. It is also the size at
# which Pillow itself refuses to open a file.
MAX_PIXELS = 178_956_970

# What is transparent says nothing, so it gets the colour of the padding.
_TRANSPARENT = (128, 128, 128)

# A file in any of these modes opens as 16-bit grey.
_SIXTEEN_BIT_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N")


def read_image(image: Any) -> np.ndarray:
  """An array, a PIL image or a path to uint8 h w 3, upright, red first.

  Grey is repeated over the three channels, 16 bits are scaled to 8, CMYK and
  palettes become RGB, an EXIF rotation is carried out, and what is transparent
  becomes the grey of the padding.

  Args:
    image: a path; a PIL image; or an array of h w, h w 1, h w 3 or h w 4,
      uint8 or uint16.

  Raises:
    FileNotFoundError: the path names no file.
    ValueError: anything else that is not such an image.
  """
  if isinstance(image, str | os.PathLike):
    return _from_file(Path(image))
  if isinstance(image, Image.Image):
    return _from_pillow(image)
  if hasattr(image, "__array__"):
    return _from_array(np.asarray(image))
  raise ValueError(
    "image: expected a path, a PIL image or an array of uint8 h w 3; "
    f"got {type(image).__name__}."
  )


def _from_file(path: Path) -> np.ndarray:
  if not path.is_file():
    raise FileNotFoundError(f"image: expected an image file; got {path}.")
  try:
    with warnings.catch_warnings():
      # Between half of the limit and the limit Pillow only warns.
      warnings.simplefilter("ignore", Image.DecompressionBombWarning)
      with Image.open(path) as image:
        return _from_pillow(image)
  except Image.UnidentifiedImageError:
    problem = "a file that is no picture"
  except Image.DecompressionBombError:
    problem = f"more than {MAX_PIXELS} pixels"
  except (OSError, SyntaxError) as error:  # Pillow raises both when decoding.
    problem = f"a damaged file ({error})"
  raise ValueError(
    "image: expected a whole picture of a kind that Pillow reads, such as "
    f"JPEG or PNG; got {problem}: {path}."
  )


def _from_pillow(image: Image.Image) -> np.ndarray:
  _check_size(image.height, image.width)
  image = ImageOps.exif_transpose(image)
  if image.mode in _SIXTEEN_BIT_MODES:
    return _from_array(_sixteen_bit(image))
  if image.mode == "F":
    raise ValueError(
      "image: expected 8 or 16 bits a channel; got a floating point picture."
    )
  if image.has_transparency_data:
    return _from_array(np.asarray(image.convert("RGBA")))
  return np.array(image.convert("RGB"))


def _sixteen_bit(image: Image.Image) -> np.ndarray:
  grey = np.asarray(image)
  if grey.min() < 0 or grey.max() > np.iinfo(np.uint16).max:
    raise ValueError(
      "image: expected 8 or 16 bits a channel; got grey values "
      f"{grey.min()}..{grey.max()}."
    )
  return grey.astype(np.uint16)


def _from_array(array: np.ndarray) -> np.ndarray:
  if array.dtype not in (np.uint8, np.uint16):
    raise ValueError(
      "image: expected values of type uint8 (0..255) or uint16 (0..65535); "
      f"got {array.dtype}."
    )
  if array.ndim == 2:
    array = array[..., None]
  if array.ndim != 3 or array.shape[-1] not in (1, 3, 4):
    raise ValueError(
      "image: expected the shape height, width, channels with 3 channels (or "
      f"1: grey, 4: RGBA), such as (480, 640, 3); got {array.shape}."
    )
  _check_size(*array.shape[:2])
  if array.dtype == np.uint16:
    array = np.round(array / 257).astype(np.uint8)
  if array.shape[-1] == 4:
    return _over_grey(array)
  return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


def _over_grey(rgba: np.ndarray) -> np.ndarray:
  opacity = rgba[..., 3:] / np.float32(255)
  blended = rgba[..., :3] * opacity + np.float32(_TRANSPARENT) * (1 - opacity)
  return np.round(blended).astype(np.uint8)


def _check_size(height: int, width: int) -> None:
  if not 0 < height * width <= MAX_PIXELS:
    raise ValueError(
      f"image: expected between 1 and {MAX_PIXELS} pixels; "
      f"got height {height}, width {width}."
    )
