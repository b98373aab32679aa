"""CRC-32C (Castagnoli), and the masked form of it that TFRecord files hold.

The sum itself is google-crc32c's: a processor does it in an instruction a word,
which is what lets training check every record that it reads.
"""

import google_crc32c

_MASK_DELTA = 0xA282EAD8


def crc32c(data: bytes) -> int:
  """Checksum of `data`; 0xE3069283 for b"123456789"."""
  return google_crc32c.value(data)


def masked_crc32c(data: bytes) -> int:
  """The checksum as TFRecord stores it: rotated by 15 bits, plus a constant."""
  crc = crc32c(data)
  return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF
