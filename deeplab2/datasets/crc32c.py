"""CRC-32C (Castagnoli) in numpy, and the masked form that TFRecord files hold.

The register of a CRC is linear over GF(2): a message may be cut into lanes that
are run side by side, and two neighbouring lanes joined by moving the left one
past the length of the right one. So the Python loop is as long as a lane.
"""

import functools

import numpy as np

_POLYNOMIAL = 0x82F63B78  # bit-reversed
_LANE = 256  # bytes
_MASK_DELTA = 0xA282EAD8


def crc32c(data: bytes) -> int:
  """Checksum of `data`; 0xE3069283 for b"123456789"."""
  if len(data) < 4 * _LANE:
    return _bytewise(data)
  lanes = -(-len(data) // _LANE)
  lanes = 1 << (lanes - 1).bit_length()
  message = np.zeros(lanes * _LANE, np.uint8)
  # Zeros in front leave a register of zero unchanged; the usual start value of
  # all ones is the same as flipping the first four bytes.
  start = message.size - len(data)
  message[start:] = np.frombuffer(data, np.uint8)
  message[start : start + 4] ^= 0xFF
  registers = _run_lanes(message.reshape(lanes, _LANE))
  return int(_join(registers)) ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
  """The checksum as TFRecord stores it: rotated by 15 bits, plus a constant."""
  crc = crc32c(data)
  return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def _bytewise(data: bytes) -> int:
  table = _byte_table_list()
  crc = 0xFFFFFFFF
  for byte in data:
    crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
  return crc ^ 0xFFFFFFFF


def _run_lanes(lanes: np.ndarray) -> np.ndarray:
  """Registers after each row of bytes, from a register of zero."""
  table = _byte_table()
  register = np.zeros(len(lanes), np.uint32)
  for column in np.ascontiguousarray(lanes.T):
    register = table[(register ^ column) & 0xFF] ^ (register >> 8)
  return register


def _join(registers: np.ndarray) -> np.uint32:
  length = _LANE
  while registers.size > 1:
    registers = _advance(registers[0::2], length) ^ registers[1::2]
    length *= 2
  return registers[0]


def _advance(registers: np.ndarray, num_bytes: int) -> np.ndarray:
  """Registers after `num_bytes` of zeros; `num_bytes` a power of two."""
  columns = _zeros_operator(num_bytes)
  result = np.zeros_like(registers)
  for bit, column in enumerate(columns):
    result ^= np.where((registers >> bit) & 1, column, np.uint32(0))
  return result


@functools.cache
def _zeros_operator(num_bytes: int) -> np.ndarray:
  """What `num_bytes` of zeros make of each single bit.  32  uint32"""
  if num_bytes == 1:
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    return _byte_table()[bits & 0xFF] ^ (bits >> 8)
  return _advance(_zeros_operator(num_bytes // 2), num_bytes // 2)


@functools.cache
def _byte_table() -> np.ndarray:
  table = np.arange(256, dtype=np.uint32)
  for _ in range(8):
    table = np.where(table & 1, (table >> 1) ^ _POLYNOMIAL, table >> 1)
  return table.astype(np.uint32)


@functools.cache
def _byte_table_list() -> list[int]:
  return _byte_table().tolist()
