"""Which segment of one map meets which of another, and in how many pixels."""

from typing import NamedTuple

import numpy as np

_ID_END = 2**32


class Overlaps(NamedTuple):
  """Pairs of ids that share pixels, by ascending truth, then prediction id."""

  truth: np.ndarray  # k int64
  prediction: np.ndarray  # k int64
  area: np.ndarray  # k int64, pixels


def count_overlaps(truth, prediction) -> Overlaps:
  """Counts the pixels of every pair of ids in two maps.

  Segments are mostly wide, so the maps are first cut into runs of one pair,
  and the runs are sorted instead of the pixels.

  Args:
    truth: h w  integer ids, 0 .. 2**32 - 1.
    prediction: h w  the same.

  Raises:
    ValueError: the shapes differ, or a map is no such map.
  """
  truth, prediction = np.asarray(truth), np.asarray(prediction)
  if truth.ndim != 2 or truth.shape != prediction.shape:
    raise ValueError(
      "prediction: expected a map of height and width as the truth's, "
      f"{truth.shape}; got {prediction.shape}."
    )
  truth, prediction = truth.ravel(), prediction.ravel()
  starts = _starts_of_runs(truth, prediction)
  lengths = np.diff(starts, append=truth.size)
  high = _as_ids("truth", truth[starts]) << np.uint64(32)
  pairs, pair_of_run = np.unique(
    high | _as_ids("prediction", prediction[starts]), return_inverse=True
  )
  area = np.bincount(pair_of_run, weights=lengths, minlength=pairs.size)
  return Overlaps(
    truth=(pairs >> np.uint64(32)).astype(np.int64),
    prediction=(pairs % np.uint64(_ID_END)).astype(np.int64),
    area=area.astype(np.int64),
  )


def _starts_of_runs(truth, prediction):
  """Indices at which a pair of ids differs from the pair before."""
  new = np.empty(truth.size, bool)
  new[:1] = True
  np.not_equal(truth[1:], truth[:-1], out=new[1:])
  new[1:] |= prediction[1:] != prediction[:-1]
  return np.flatnonzero(new)


def _as_ids(name, values):
  if values.dtype.kind not in "iu":
    raise ValueError(f"{name}: expected integer ids; got {values.dtype}.")
  if values.size and not 0 <= values.min() <= values.max() < _ID_END:
    raise ValueError(
      f"{name}: expected ids of 0 .. 2**32 - 1; "
      f"got {values.min()} .. {values.max()}."
    )
  return values.astype(np.uint64)
