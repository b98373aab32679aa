import io
import struct

import numpy as np
import pytest
from PIL import Image

from deeplab2.datasets.image_header import MAX_PIXELS, check_pixels, image_size

H, W = 23, 31


def _encoded(image_format: str, **options) -> bytes:
  pixels = np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8)
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, image_format, **options)
  return file.getvalue()


@pytest.mark.parametrize(
  "data",
  [
    _encoded("png"),
    _encoded("jpeg"),
    _encoded("jpeg", progressive=True, comment=b"\xff\xc0 not here"),
    _encoded("jpeg", exif=b"Exif\0\0" + _encoded("jpeg", quality=5)[:300]),
    b"\xff\xd8\xff\xff\xff" + _encoded("jpeg")[3:],  # filled up
  ],
)
def test_the_size_is_in_the_header(data):
  assert image_size(data) == (H, W)


@pytest.mark.parametrize(
  ("data", "message"),
  [
    (
      b"BM6\x10",
      "expected a whole JPEG or PNG image; got 4 bytes that begin with "
      "b'BM6\\x10'.",
    ),
    (
      _encoded("png")[:23],
      "expected a whole JPEG or PNG image; got 23 bytes that begin with "
      "b'\\x89PNG\\r\\n\\x1a\\n'.",
    ),
    (
      _encoded("jpeg")[:100],
      "expected a whole JPEG image; got 100 bytes without its size.",
    ),
    (
      b"\xff\xd8\xff\xda" + bytes(60),
      "expected a whole JPEG image; got 64 bytes without its size.",
    ),
    (
      _encoded("png")[:16] + struct.pack(">II", 60000, 50000),
      f"expected 1 to {MAX_PIXELS} pixels; got height 50000, width 60000.",
    ),
  ],
)
def test_what_is_no_image_to_decode_is_refused(data, message):
  with pytest.raises(ValueError) as error:
    image_size(data)
  assert str(error.value) == message


@pytest.mark.parametrize("size", [(0, 5), (-3, -5), (2**13, 2**13 + 1)])
def test_sizes_without_room_are_refused(size):
  check_pixels((2**13, 2**13))
  with pytest.raises(ValueError, match=rf"got height {size[0]}, width"):
    check_pixels(size)
