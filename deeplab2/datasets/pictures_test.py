import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from deeplab2.datasets.pictures import decode_coarsely, opened_picture


def _jpeg(side: int) -> bytes:
  pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, "jpeg")
  return file.getvalue()


def _png(mode="RGB") -> bytes:
  file = io.BytesIO()
  Image.new(mode, (31, 23)).save(file, "png")
  return file.getvalue()


def test_opens_what_pillow_opens():
  with opened_picture(io.BytesIO(_png())) as picture:
    assert (picture.size, picture.mode) == ((31, 23), "RGB")


@pytest.mark.parametrize(
  ("data", "message"),
  [
    (b"", "does not decode: cannot identify image file"),
    (_png()[:40], "does not decode: "),
    (_png()[:-35], "does not decode: "),
    (_png().replace(b"IDAT", b"IDAX"), "does not decode: "),
  ],
)
def test_everything_that_goes_wrong_is_a_value_error(data, message):
  with (
    pytest.raises(ValueError, match=message),
    opened_picture(io.BytesIO(data)) as picture,
  ):
    picture.load()


@pytest.mark.parametrize("side", [9000, 50000])
def test_a_bomb_is_not_decoded(side):
  header = _png()[12:16] + struct.pack(">II", side, side) + _png()[24:29]
  crc = struct.pack(">I", zlib.crc32(header))
  data = _png()[:12] + header + crc + _png()[33:]
  with (
    pytest.raises(ValueError, match=r"pixels"),
    opened_picture(io.BytesIO(data)),
  ):
    pass


@pytest.mark.parametrize("cut", [3, 300, 3000])
def test_a_coarse_look_sees_damage(cut):
  data = _jpeg(200)
  with opened_picture(io.BytesIO(data)) as picture:
    decode_coarsely(picture)
    assert picture.size < (30, 30)
  with (
    pytest.raises(ValueError, match="does not decode: image file is truncated"),
    opened_picture(io.BytesIO(data[:-cut])) as picture,
  ):
    decode_coarsely(picture)
