"""The size of a JPEG or PNG by its header, to be known before it is decoded.

Some hundred bytes can decode to gigabytes. What is to be decoded is measured
here first, at no cost that shows.
"""

import struct

# 8192 x 8192; as float32 such an image takes 800 MB, and its label 270 MB.
MAX_PIXELS = 2**26

_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"
_JPEG = b"\xff\xd8\xff"
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # what states the size
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment
_LAST = {0xD9, 0xDA}  # end of the image, start of its data


def image_size(data: bytes) -> tuple[int, int]:
  """Height and width in pixels of an encoded image.

  Raises:
    ValueError: it is no JPEG or PNG, or has no or too many pixels.
  """
  if data.startswith(_PNG) and len(data) >= 24:
    width, height = struct.unpack_from(">II", data, 16)
  elif data.startswith(_JPEG):
    height, width = _jpeg_size(data)
  else:
    raise ValueError(
      f"expected a whole JPEG or PNG image; got {len(data)} bytes that begin "
      f"with {data[:8]!r}."
    )
  check_pixels((height, width))
  return height, width


def check_pixels(size: tuple[int, int]) -> None:
  """Raises ValueError unless there is room for an image of (height, width)."""
  height, width = size
  if height < 1 or width < 1 or height * width > MAX_PIXELS:
    raise ValueError(
      f"expected 1 to {MAX_PIXELS} pixels; got height {height}, width {width}."
    )


def _jpeg_size(data: bytes) -> tuple[int, int]:
  place = 2
  while True:
    place = data.find(b"\xff", place)
    while data[place : place + 1] == b"\xff":  # any number may stand there
      place += 1
    if place < 1 or place + 3 > len(data) or data[place] in _LAST:
      raise ValueError(
        f"expected a whole JPEG image; got {len(data)} bytes without its size."
      )
    marker = data[place]
    if marker in _FRAMES and place + 8 <= len(data):
      return struct.unpack_from(">HH", data, place + 4)
    if marker in _ALONE:
      place += 1
    else:
      place += 1 + struct.unpack_from(">H", data, place + 1)[0]
