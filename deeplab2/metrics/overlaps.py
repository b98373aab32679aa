"""Which segment of one map meets which of another, and in how many pixels."""

import itertools
from typing import NamedTuple

import numpy as np

_ID_BITS = 32
# Pixels that are counted together. What is made of so few stays in the cache
# and in memory that the process keeps: fresh pages would cost more than the
# counting.
_BLOCK = 7 * 2**14
_AREA_BITS = _BLOCK.bit_length()


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
  runs = [_runs(truth[i], prediction[i]) for i in _blocks(truth.size)]
  truths, predictions, _ = zip(*runs, strict=True)
  high_bits = _bits("truth", truths)
  low_bits = _bits("prediction", predictions)
  # One block after the other, so that none but the sums are kept.
  parts = ((_pairs(*ids, low_bits), areas) for *ids, areas in runs)
  add_up = _add_up
  if high_bits + low_bits + _AREA_BITS <= 64:
    add_up = _add_up_small
    parts = itertools.starmap(add_up, parts)
  pairs, areas = add_up(*map(np.concatenate, zip(*parts, strict=True)))
  return Overlaps(
    truth=(pairs >> low_bits).astype(np.int64),
    prediction=(pairs & _ones(low_bits)).astype(np.int64),
    area=areas.astype(np.int64),
  )


def _bits(name, blocks):
  """The bits that hold any of the ids of some blocks."""
  # All ids in one: as long as the largest, and negative if any of them is.
  every = 0
  for ids in blocks:
    if ids.dtype.kind not in "iu":
      raise ValueError(f"{name}: expected integer ids; got {ids.dtype}.")
    every |= int(np.bitwise_or.reduce(ids))
  if every < 0 or every.bit_length() > _ID_BITS:
    ids = np.concatenate(blocks)
    raise ValueError(
      f"{name}: expected ids of 0 .. 2**32 - 1; got {ids.min()} .. {ids.max()}."
    )
  return every.bit_length()


def _ones(bits):
  """The number whose lowest bits are set."""
  return 2**bits - 1


def _blocks(size):
  """Slices of all pixels; one, if there are none."""
  return [slice(i, i + _BLOCK) for i in range(0, max(size, 1), _BLOCK)]


def _runs(truth, prediction):
  """Ids of the runs of a block, k of each map, and areas: k uint32."""
  edges = _edges(truth, prediction)
  starts = edges[:-1]
  areas = (edges[1:] - starts).astype(np.uint32)
  return truth[starts], prediction[starts], areas


def _pairs(truth, prediction, low_bits):
  """Both ids in one number, which sorts by truth first: k uint64."""
  pairs = truth.astype(np.uint64)
  pairs <<= low_bits
  pairs |= prediction.astype(np.uint64)
  return pairs


def _edges(first, *others):
  """Where runs of equal rows start, and where the last one ends."""
  length = len(first)
  edge = np.zeros(length // 4 * 4 + 4, bool)
  edge[0] = edge[length] = True
  inner = edge[1:length]
  np.not_equal(first[1:], first[:-1], out=inner)
  for column in others:
    inner |= column[1:] != column[:-1]
  return _where(edge)


def _where(mask):
  """Indices of what is true in a mask, whose length is a multiple of four.

  Where little is true, numpy's own spends its time between; this one looks
  only into words of four that are not all false.
  """
  words = mask.view(np.uint32)
  some = np.flatnonzero(words != 0)
  found = np.flatnonzero(words[some].view(bool))
  indices = some[found >> 2]
  indices <<= 2
  indices |= found & 3
  return indices


def _add_up(pairs, areas):
  """Sums the areas of each pair: k -> fewer uint64, by ascending pair."""
  order = np.argsort(pairs)
  pairs = pairs[order]
  starts = _edges(pairs)[:-1]
  return pairs[starts], np.add.reduceat(areas[order], starts)


def _add_up_small(pairs, areas):
  """The same for pairs that leave room for the area, at most `_BLOCK`.

  Numbers are sorted several times faster than indices, so the area goes along
  in the low bits of its pair.
  """
  packed = pairs << _AREA_BITS
  packed |= areas
  packed.sort()
  pairs = packed >> _AREA_BITS
  packed &= _ones(_AREA_BITS)
  starts = _edges(pairs)[:-1]
  return pairs[starts], np.add.reduceat(packed, starts)
