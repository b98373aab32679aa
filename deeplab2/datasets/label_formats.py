"""The two forms that a record's panoptic map may have; neither loses anything.

raw    the ids as int32, row by row: the form of google-research/deeplab2
runs   zlib of two rows of int32: the ids of the map's runs of equal pixels, in
       the order of its pixels, and below them the lengths of the runs

All integers are little-endian. Runs take a hundredth of the bytes, and reading
them takes no longer.
"""

import zlib

import numpy as np

from deeplab2.datasets.image_header import check_pixels
from deeplab2.datasets.label_runs import find_runs

RAW = "raw"
RUNS = "runs"
LABEL_FORMATS = (RUNS, RAW)
# Higher ones take a tenth off the label, and as much time as all else.
_COMPRESSION = 3


def encode_label(panoptic: np.ndarray, label_format: str) -> bytes:
  """A panoptic map as bytes.

  Args:
    panoptic: h w, integers that fit int32.
    label_format: one of `LABEL_FORMATS`.
  """
  if label_format == RAW:
    return panoptic.astype("<i4").tobytes()
  if label_format != RUNS:
    raise ValueError(
      f"label_format: expected one of {LABEL_FORMATS}; got {label_format!r}."
    )
  runs = find_runs(panoptic)
  rows = np.stack([runs.labels[runs.places], runs.lengths])
  return zlib.compress(rows.astype("<i4").tobytes(), _COMPRESSION)


def decode_label(
  data: bytes, label_format: bytes, size: tuple[int, int]
) -> np.ndarray:
  """The map of a record.  h w  int32, perhaps read-only

  Args:
    data: what `encode_label` returned.
    label_format: what the record states.
    size: height and width that the record states.

  Raises:
    ValueError: the bytes are no such map of that size. Never takes more memory
      than two such maps, whatever they would decompress to.
  """
  check_pixels(size)
  if label_format == RAW.encode():
    _check_length(data, size)
    return np.frombuffer(data, "<i4").reshape(size)
  if label_format == RUNS.encode():
    ids, lengths = _read_runs(data, size)
    return np.repeat(ids, lengths).reshape(size)
  raise ValueError(
    f"expected one of {LABEL_FORMATS} as its format; got {label_format!r}."
  )


def _check_length(data: bytes, size: tuple[int, int]):
  num_bytes = 4 * size[0] * size[1]
  if len(data) != num_bytes:
    raise ValueError(
      f"expected raw int32 for {size[0]} x {size[1]} pixels, {num_bytes} "
      f"bytes; got {len(data)} bytes."
    )


def _decompress(data: bytes, limit: int) -> bytes:
  """At most `limit` bytes; zlib's own function knows no limit."""
  decompressor = zlib.decompressobj()
  whole = decompressor.decompress(data, limit)
  # Without room left, the end of the stream may still wait to be read.
  rest = decompressor.decompress(decompressor.unconsumed_tail, 1)
  if rest or not decompressor.eof:
    problem = f"more than {limit} bytes" if rest else "cut short"
    raise ValueError(f"they are {problem}")
  return whole


def _read_runs(data: bytes, size: tuple[int, int]) -> np.ndarray:
  """Ids and lengths of the runs, which fill the map.  2 r  int32"""
  try:
    # As many bytes as a run a pixel would have.
    rows = np.frombuffer(_decompress(data, 8 * size[0] * size[1]), "<i4")
    rows = rows.reshape(2, -1)
  except (zlib.error, ValueError) as error:
    raise ValueError(
      f"expected the zlib of two rows of int32; got {len(data)} bytes that are "
      f"not: {error}."
    ) from error
  lengths = rows[1]
  if lengths.size and lengths.min() < 1:
    raise ValueError(f"expected runs of 1 pixel or more; got {lengths.min()}.")
  if lengths.sum(dtype=np.int64) != size[0] * size[1]:
    raise ValueError(
      f"expected runs that fill {size[0]} x {size[1]} pixels; "
      f"got {lengths.sum(dtype=np.int64)} pixels."
    )
  return rows
