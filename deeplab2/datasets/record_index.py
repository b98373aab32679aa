"""Where every record of a set of TFRecord files lies, for reads by number.

A record on disk: length (uint64), masked CRC of the length (uint32), the data,
masked CRC of the data (uint32); little-endian. Reading by number makes a batch
a function of the step alone, which a shuffle buffer cannot do.
"""

import dataclasses
import glob
import os
import struct
from collections.abc import Iterator, Sequence

import numpy as np

from deeplab2.datasets.crc32c import masked_crc32c

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")


def frame_record(data: bytes) -> bytes:
  """The data as it lies on disk, length and checksums included."""
  length = struct.pack("<Q", len(data))
  return b"".join(
    (
      length,
      _FOOTER.pack(masked_crc32c(length)),
      data,
      _FOOTER.pack(masked_crc32c(data)),
    )
  )


@dataclasses.dataclass(frozen=True, eq=False)
class RecordIndex:
  """Numbers the records of files, in order of file name and place.

  Any thread may read: every read opens its file by itself.
  """

  files: tuple[str, ...]
  file_ids: np.ndarray  # records  int32; index of `files`
  offsets: np.ndarray  # records  int64; first byte of the data
  lengths: np.ndarray  # records  int64; bytes of the data

  @classmethod
  def from_patterns(cls, patterns: str | Sequence[str]) -> "RecordIndex":
    """Scans the headers of all files that the patterns match.

    Raises:
      ValueError: a pattern matches no file, there is no record at all, or a
        file is cut short or is no TFRecord file; names the file and the byte.
    """
    index = cls.from_files(matching_files(patterns))
    if not len(index):
      raise ValueError(
        f"file_pattern: the files hold no record; got {patterns}."
      )
    return index

  @classmethod
  def from_files(cls, files: Sequence[str]) -> "RecordIndex":
    """Scans the headers of these files, which may be empty."""
    spans = [list(_scan(path)) for path in files]
    places = [span for of_file in spans for span in of_file]
    offsets, lengths = np.array(places, np.int64).reshape(-1, 2).T
    counts = [len(of_file) for of_file in spans]
    file_ids = np.repeat(np.arange(len(files), dtype=np.int32), counts)
    return cls(tuple(files), file_ids, offsets, lengths)

  def __len__(self) -> int:
    return len(self.offsets)

  def read(self, number: int, verify: bool = False) -> bytes:
    """Data of one record; `verify` compares it with its checksum.

    Training leaves that out; `data/inspect_tfrecords.py` does it once for all.
    """
    length = int(self.lengths[number])
    with open(self.files[self.file_ids[number]], "rb") as file:
      file.seek(int(self.offsets[number]))
      data = file.read(length)
      footer = file.read(_FOOTER.size)
    if len(data) + len(footer) != length + _FOOTER.size:
      raise ValueError(
        f"{self.where(number)}: the file was cut since its scan."
      )
    if verify and _FOOTER.unpack(footer)[0] != masked_crc32c(data):
      raise ValueError(f"{self.where(number)}: the checksum does not agree.")
    return data

  def where(self, number: int) -> str:
    """File and place of a record, for messages."""
    file_id = self.file_ids[number]
    place = number - int(np.searchsorted(self.file_ids, file_id))
    return f"{self.files[file_id]}, record {place}"


def matching_files(patterns: str | Sequence[str]) -> tuple[str, ...]:
  """Sorted distinct files; each pattern must match at least one."""
  patterns = [patterns] if isinstance(patterns, str) else list(patterns)
  if not patterns:
    raise ValueError("file_pattern: expected at least one pattern; got none.")
  files = set()
  for pattern in patterns:
    matches = glob.glob(os.path.expanduser(pattern))
    if not matches:
      raise ValueError(
        f"file_pattern: expected TFRecord files, such as "
        f"records/train-*.tfrecord (data/build_coco_data.py writes them); "
        f"nothing matches {pattern!r}."
      )
    files.update(matches)
  return tuple(sorted(files))


def _scan(path: str) -> Iterator[tuple[int, int]]:
  """(offset, length) of the data of each record of a file."""
  size = os.path.getsize(path)
  with open(path, "rb", buffering=0) as file:
    start = 0
    while start < size:
      length = _read_length(file, path, start)
      offset = start + _HEADER.size
      start = offset + length + _FOOTER.size
      if start > size:
        raise ValueError(
          f"{path}: cut short: the record at byte {offset - _HEADER.size} ends "
          f"at byte {start}, the file at {size}."
        )
      yield offset, length
      file.seek(start)


def _read_length(file, path: str, start: int) -> int:
  header = file.read(_HEADER.size)
  if len(header) < _HEADER.size:
    raise ValueError(f"{path}: cut short: no whole header at byte {start}.")
  length, crc = _HEADER.unpack(header)
  if crc != masked_crc32c(header[:8]):
    raise ValueError(
      f"{path}: not a TFRecord file, or damaged: the checksum of the header at "
      f"byte {start} does not agree."
    )
  return length
