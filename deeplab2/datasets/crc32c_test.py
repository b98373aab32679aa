import numpy as np
import pytest

from deeplab2.datasets.crc32c import crc32c, masked_crc32c


def _bit_by_bit(data: bytes) -> int:
  """The definition: division by the polynomial, one bit after the other."""
  register = 0xFFFFFFFF
  for byte in data:
    register ^= byte
    for _ in range(8):
      register = (register >> 1) ^ (0x82F63B78 if register & 1 else 0)
  return register ^ 0xFFFFFFFF


# RFC 3720, B.4.
@pytest.mark.parametrize(
  ("data", "expected"),
  [
    (b"", 0),
    (b"123456789", 0xE3069283),
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
  ],
)
def test_published_values(data, expected):
  assert crc32c(data) == expected


@pytest.mark.parametrize("size", [1, 1023, 4099, 20011])
def test_agrees_with_the_definition(size):
  data = np.random.default_rng(size).bytes(size)
  assert crc32c(data) == _bit_by_bit(data)


def test_one_flipped_bit_is_seen():
  data = bytearray(np.random.default_rng(0).bytes(5003))
  before = masked_crc32c(bytes(data))
  data[2501] ^= 16
  assert masked_crc32c(bytes(data)) != before


def test_mask_can_be_undone():
  data = b"tfrecord"
  rotated = (masked_crc32c(data) - 0xA282EAD8) & 0xFFFFFFFF
  assert ((rotated << 15) | (rotated >> 17)) & 0xFFFFFFFF == crc32c(data)
