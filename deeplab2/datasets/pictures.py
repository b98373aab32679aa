"""Pictures from files of others, without trust in what they say they are.

Pillow raises whatever its decoders stumble over, and decodes a picture of any
size that it is told to.
"""

import contextlib
from collections.abc import Iterator

from PIL import Image

from deeplab2.datasets.image_header import check_pixels


@contextlib.contextmanager
def undecodable_as_value_error() -> Iterator[None]:
  """Raises ValueError for anything that goes wrong while decoding."""
  try:
    yield
  except (ValueError, MemoryError):
    raise
  except Exception as error:  # struct, zlib, EOF, index, overflow ...
    raise ValueError(f"does not decode: {error}") from error


@contextlib.contextmanager
def opened_picture(source) -> Iterator[Image.Image]:
  """A picture whose size is known to be within reason, not yet decoded.

  Args:
    source: path, or file of bytes.

  Raises:
    ValueError: it does not decode, or has too many pixels; says which, but not
      of what file.
  """
  with undecodable_as_value_error(), Image.open(source) as picture:
    check_pixels((picture.height, picture.width))
    yield picture


def decode_coarsely(picture: Image.Image) -> None:
  """Reads every bit of a picture, and leaves what it can of the transforms.

  A JPEG's is the greater part of decoding; at an eighth of the size it falls
  away, and damage to the data still shows.
  """
  picture.draft(None, (picture.width // 8 or 1, picture.height // 8 or 1))
  picture.load()
