"""Which record stands where in an endless, shuffled run.

Positions count the images of a run from 0. Every epoch is a permutation of all
records, a function of (seed, stream, epoch) alone: whoever knows a position
knows its record, without having read anything before it.
"""

import functools

import numpy as np


class EpochOrder:
  """The records of a run, by position.

  Args:
    num_records: records in an epoch.
    seed: the run's seed, any integer.
    stream: tells independent orders of one seed apart.
  """

  def __init__(self, num_records: int, seed: int, stream: int = 0):
    self._num_records = num_records
    self._seed = seed % 2**64
    self._stream = stream
    # Reading threads may be in two epochs at once.
    self._permutation = functools.lru_cache(maxsize=4)(self._permute)

  def record(self, position: int) -> int:
    """Number of the record at a position."""
    epoch, place = divmod(int(position), self._num_records)
    return self._permutation(epoch)[place]

  def _permute(self, epoch: int) -> np.ndarray:
    # Sorted raw bits: numpy keeps those the same for ever, its shuffles not.
    bits = np.random.Philox(
      np.random.SeedSequence((self._seed, self._stream, epoch))
    )
    return np.argsort(bits.random_raw(self._num_records), kind="stable")
