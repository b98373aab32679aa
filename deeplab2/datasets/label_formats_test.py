import zlib

import numpy as np
import pytest

from deeplab2.datasets.label_formats import (
  LABEL_FORMATS,
  decode_label,
  encode_label,
)

H, W = 13, 17


def _random_map(num_ids):
  rng = np.random.default_rng(num_ids)
  return rng.choice(rng.integers(-(2**31), 2**31, num_ids), (H, W))


def _runs(*rows) -> bytes:
  return zlib.compress(np.array(rows, "<i4").tobytes())


@pytest.mark.parametrize("num_ids", [1, 2, 300])
@pytest.mark.parametrize("label_format", LABEL_FORMATS)
def test_nothing_is_lost(label_format, num_ids):
  panoptic = _random_map(num_ids)
  data = encode_label(panoptic, label_format)
  decoded = decode_label(data, label_format.encode(), (H, W))
  np.testing.assert_array_equal(decoded, panoptic)
  assert decoded.dtype == np.int32


def test_raw_is_four_bytes_a_pixel_the_lowest_first():
  data = encode_label(np.array([[1, 256], [-1, 65536]]), "raw")
  assert data == bytes([1, 0, 0, 0, 0, 1, 0, 0, *[255] * 4, 0, 0, 1, 0])


def test_runs_are_ids_above_lengths():
  data = encode_label(np.array([[7, 7, 300], [300, 300, 7]]), "runs")
  rows = np.frombuffer(zlib.decompress(data), "<i4").reshape(2, -1)
  np.testing.assert_array_equal(rows, [[7, 300, 7], [2, 3, 1]])


def test_runs_of_regions_are_small():
  regions = np.zeros((427, 640), np.int32)
  regions[100:300, 50:400] = 257
  regions[200:, 300:] = 30 * 256
  assert 100 * len(encode_label(regions, "runs")) < 4 * regions.size


@pytest.mark.parametrize(
  ("data", "label_format", "message"),
  [
    (
      bytes(4 * H * W - 2),
      b"raw",
      "expected raw int32 for 13 x 17 pixels, 884 bytes; got 882 bytes.",
    ),
    (
      b"1234",
      b"runs",
      "expected the zlib of two rows of int32; got 4 bytes that are not: Error "
      "-3 while decompressing data: incorrect header check.",
    ),
    (
      zlib.compress(bytes(12)),
      b"runs",
      "expected the zlib of two rows of int32; got 11 bytes that are not: "
      "cannot reshape array of size 3 into shape (2,newaxis).",
    ),
    (
      _runs([5, 6], [220, 2]),
      b"runs",
      "expected runs that fill 13 x 17 pixels; got 222 pixels.",
    ),
    (
      _runs([5, 6], [222, -1]),
      b"runs",
      "expected runs of 1 pixel or more; got -1.",
    ),
    (
      b"1234",
      b"gif",
      "expected one of ('runs', 'raw') as its format; got b'gif'.",
    ),
  ],
)
def test_what_is_not_as_stated(data, label_format, message):
  with pytest.raises(ValueError) as caught:
    decode_label(data, label_format, (H, W))
  assert str(caught.value) == message


def test_other_forms_are_not_written():
  with pytest.raises(ValueError) as caught:
    encode_label(_random_map(3), "gif")
  assert str(caught.value) == (
    "label_format: expected one of ('runs', 'raw'); got 'gif'."
  )


def test_what_decompresses_to_more_than_the_map_is_not_decompressed():
  bomb = zlib.compress(bytes(8 * H * W + 1))
  with pytest.raises(ValueError, match=r"not: they are more than 1768 bytes\."):
    decode_label(bomb, b"runs", (H, W))
  with pytest.raises(ValueError, match=r"not: they are cut short\."):
    decode_label(_runs([5], [H * W])[:-3], b"runs", (H, W))
  with pytest.raises(ValueError, match="got height 70000, width 70000"):
    decode_label(b"", b"raw", (70000, 70000))
