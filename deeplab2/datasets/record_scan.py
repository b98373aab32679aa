"""Where the records of one TFRecord file lie, past damage where there is some.

A record on disk: length (uint64), masked CRC of the length (uint32), the data,
masked CRC of the data (uint32); little-endian. One wrong header would hide all
records behind it, so the next header that agrees with its checksum is searched.
"""

import os
import stat
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from deeplab2.datasets.crc32c import masked_crc32c

HEADER = struct.Struct("<QI")
FOOTER = struct.Struct("<I")
_CHUNK = 2**24  # bytes searched at once


class Span(NamedTuple):
  """The data of a record, or a stretch of the file that holds none."""

  offset: int  # first byte
  length: int  # bytes
  problem: str | None = None  # why it is no record


def scan_records(path: str) -> Iterator[Span]:
  """The records of a file, and what lies between them, in order.

  Raises:
    ValueError: the file cannot be read; names it.
  """
  try:
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # it may never open
      raise ValueError(f"{path}: expected a file; got a pipe or a device.")
    with open(path, "rb", buffering=0) as file:
      yield from _scan(file, os.fstat(file.fileno()).st_size)
  except OSError as error:
    raise ValueError(f"{path}: cannot be read: {error.strerror}.") from error


def _scan(file, size: int) -> Iterator[Span]:
  start = 0
  while start < size:
    file.seek(start)
    span = _span_at(start, file.read(HEADER.size), size)
    if span.problem is None:
      yield span
      start = span.offset + span.length + FOOTER.size
    else:
      end = _next_header(file, start + 1, size)
      yield span._replace(length=end - start)
      start = end


def _span_at(start: int, header: bytes, size: int) -> Span:
  """What a header says, or what is wrong with it."""
  if len(header) < HEADER.size:
    return Span(start, 0, f"cut short: no whole header at byte {start}.")
  length, crc = HEADER.unpack(header)
  if crc != masked_crc32c(header[:8]):
    return Span(
      start,
      0,
      "not a TFRecord file, or damaged: the checksum of the header at byte "
      f"{start} does not agree.",
    )
  end = start + HEADER.size + length + FOOTER.size
  if end > size:
    return Span(
      start,
      0,
      f"cut short: the record at byte {start} ends at byte {end}, the file at "
      f"{size}.",
    )
  return Span(start + HEADER.size, length)


def _next_header(file, start: int, size: int) -> int:
  """The first byte from `start` on where a whole record begins; else `size`."""
  while start < size:
    file.seek(start)
    chunk = file.read(_CHUNK)
    for place in _possible_headers(np.frombuffer(chunk, np.uint8)):
      header = chunk[place : place + HEADER.size]
      if _span_at(start + place, header, size).problem is None:
        return start + place
    if start + len(chunk) >= size:
      break
    start += len(chunk) - HEADER.size + 1
  return size


def _possible_headers(data: np.ndarray) -> list[int]:
  """Places of a length above 0 and below 2**32; few, also among zeros."""
  places = max(0, len(data) - HEADER.size + 1)
  zero = data == 0
  low, high = np.ones((2, places), bool)
  for i in range(4):
    low &= zero[i : i + places]
    high &= zero[i + 4 : i + 4 + places]
  return np.flatnonzero(~low & high).tolist()
