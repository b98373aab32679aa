"""Where every record of a set of TFRecord files lies, for reads by number.

Reading by number makes a batch a function of the step alone, which a shuffle
buffer cannot do. What is damaged has a number like a record, so that it can be
counted and passed over like one that is bad inside.
"""

import dataclasses
import glob
import os
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from deeplab2.datasets.crc32c import masked_crc32c
from deeplab2.datasets.record_scan import FOOTER, HEADER, scan_records


def frame_record(data: bytes) -> bytes:
  """The data as it lies on disk, length and checksums included."""
  length = struct.pack("<Q", len(data))
  return b"".join(
    (
      HEADER.pack(len(data), masked_crc32c(length)),
      data,
      FOOTER.pack(masked_crc32c(data)),
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
  damage: Mapping[int, str]  # number -> why there is no record to be read

  @classmethod
  def from_patterns(
    cls, patterns: str | Sequence[str], allow_damage: bool = False
  ) -> "RecordIndex":
    """Scans the headers of all files that the patterns match.

    Args:
      patterns: globs.
      allow_damage: whether to number places where records were, such as a
        file's cut-off end, instead of raising an error.

    Raises:
      ValueError: a pattern matches no file, there is no record at all, or a
        file is cut short or damaged and may not be; names it and the byte.
    """
    index = cls.from_files(matching_files(patterns))
    nothing = len(index.damage) == len(index)
    if index.damage and (nothing or not allow_damage):
      raise ValueError(index.describe_damage())
    if nothing:
      raise ValueError(
        f"file_pattern: the files hold no record; got {patterns}."
      )
    return index

  @classmethod
  def from_files(cls, files: Sequence[str]) -> "RecordIndex":
    """Scans the headers of these files, which may be empty or damaged."""
    spans = [list(scan_records(path)) for path in files]
    all_spans = [span for of_file in spans for span in of_file]
    places = [(span.offset, span.length) for span in all_spans]
    offsets, lengths = np.array(places, np.int64).reshape(-1, 2).T
    counts = [len(of_file) for of_file in spans]
    file_ids = np.repeat(np.arange(len(files), dtype=np.int32), counts)
    damage = {i: span.problem for i, span in enumerate(all_spans)}
    damage = {i: problem for i, problem in damage.items() if problem}
    return cls(tuple(files), file_ids, offsets, lengths, damage)

  def __len__(self) -> int:
    return len(self.offsets)

  def read(self, number: int) -> bytes:
    """Data of one record.

    Raises:
      ValueError: it is damaged: the data is not what its checksum says, or it
        is not there; names the file and the record.
    """
    if number in self.damage:
      raise ValueError(f"{self.where(number)}: {self.damage[number]}")
    length = int(self.lengths[number])
    try:
      path = self.files[self.file_ids[number]]
      with open(path, "rb", opener=_open_at_once) as file:
        file.seek(int(self.offsets[number]))
        data = file.read(length)
        footer = file.read(FOOTER.size)
    except OSError as error:
      raise ValueError(
        f"{self.where(number)}: cannot be read: {error.strerror}."
      ) from error
    if len(data) + len(footer) != length + FOOTER.size:
      raise ValueError(
        f"{self.where(number)}: the file was cut since its scan."
      )
    if FOOTER.unpack(footer)[0] != masked_crc32c(data):
      raise ValueError(f"{self.where(number)}: the checksum does not agree.")
    return data

  def where(self, number: int) -> str:
    """File and place of a record, for messages."""
    file_id = self.file_ids[number]
    place = number - int(np.searchsorted(self.file_ids, file_id))
    return f"{self.files[file_id]}, record {place}"

  def number_at(self, where: str) -> int | None:
    """The record of which `where` says this, if it is one of these."""
    file, _, place = where.rpartition(", record ")
    if file not in self.files or not place.isdecimal():
      return None
    file_id = self.files.index(file)
    start, stop = np.searchsorted(self.file_ids, [file_id, file_id + 1])
    number = int(start) + int(place)
    return number if number < stop else None

  def describe_damage(self) -> str:
    """The first place that is damaged, and how many more there are."""
    first = min(self.damage)
    text = f"{self.files[self.file_ids[first]]}: {self.damage[first]}"
    others = len(self.damage) - 1
    return f"{text} {others} more places are damaged." if others else text


def _open_at_once(path: str, flags: int) -> int:
  """Opens a file; a pipe that has taken its place must stop nobody."""
  return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def matching_files(patterns: str | Sequence[str]) -> tuple[str, ...]:
  """Sorted distinct files; each pattern must match at least one."""
  patterns = [patterns] if isinstance(patterns, str) else list(patterns)
  if not patterns:
    raise ValueError("file_pattern: expected at least one pattern; got none.")
  files = set()
  for pattern in patterns:
    found = glob.glob(os.path.expanduser(pattern))
    matches = [match for match in found if not os.path.isdir(match)]
    if not matches:
      what = "only folders match" if found else "nothing matches"
      raise ValueError(
        f"file_pattern: expected TFRecord files, such as "
        f"records/train-*.tfrecord (data/build_coco_data.py writes them); "
        f"{what} {pattern!r}."
      )
    files.update(matches)
  return tuple(sorted(files))
