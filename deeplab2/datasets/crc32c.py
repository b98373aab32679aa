"""CRC-32C (Castagnoli) in numpy, and the masked form that TFRecord files hold.

The register of a CRC is linear over GF(2): a message may be cut into lanes that
are run side by side, and two neighbouring lanes joined by moving the left one
past the length of the right one. So the Python loop is as long as a lane, in
words of four bytes.
"""

import functools

import numpy as np

_POLYNOMIAL = 0x82F63B78  # bit-reversed
_LANE = 128  # bytes, a multiple of four
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
  near, far = _pair_tables()
  register = np.zeros(len(lanes), np.uint32)
  for words in np.ascontiguousarray(lanes.view("<u4").T):
    register = register ^ words
    register = far.take(register & 0xFFFF) ^ near.take(register >> 16)
  return register


def _join(registers: np.ndarray) -> np.uint32:
  length = _LANE
  while registers.size > 1:
    registers = _advance(registers[0::2], length) ^ registers[1::2]
    length *= 2
  return registers[0]


def _advance(registers: np.ndarray, num_bytes: int) -> np.ndarray:
  """Registers after `num_bytes` of zeros; `num_bytes` a power of two."""
  parts = (registers >> (8 * i) & 0xFF for i in range(4))
  tables = _zeros_tables(num_bytes)
  return np.bitwise_xor.reduce(
    [table.take(part) for table, part in zip(tables, parts, strict=True)]
  )


@functools.cache
def _zeros_tables(num_bytes: int) -> np.ndarray:
  """What zeros make of each value of each byte of a register.  4 256  uint32"""
  values = np.arange(256, dtype=np.uint32)
  registers = values << np.arange(0, 32, 8, dtype=np.uint32)[:, None]
  if num_bytes == 1:
    return _byte_table()[registers & 0xFF] ^ (registers >> 8)
  half = num_bytes // 2
  return _advance(_advance(registers, half), half)


@functools.cache
def _byte_table() -> np.ndarray:
  table = np.arange(256, dtype=np.uint32)
  for _ in range(8):
    table = np.where(table & 1, (table >> 1) ^ _POLYNOMIAL, table >> 1)
  return table.astype(np.uint32)


@functools.cache
def _pair_tables() -> tuple[np.ndarray, np.ndarray]:
  """What two bytes leave in the register; and so with two zeros after them."""
  table = _byte_table()
  near = np.arange(2**16, dtype=np.uint32)
  for _ in range(2):
    near = table[near & 0xFF] ^ (near >> 8)
  far = near
  for _ in range(2):
    far = table[far & 0xFF] ^ (far >> 8)
  return near, far


@functools.cache
def _byte_table_list() -> list[int]:
  return _byte_table().tolist()
