"""Tests of the order of records."""

import numpy as np
import pytest

from deeplab2.input.order import EpochOrder

# The first epoch of 11 records with seed 7, when this was written.
RECORDED = [8, 4, 3, 6, 2, 1, 0, 5, 9, 10, 7]


@pytest.mark.parametrize("num_records", [1, 2, 17])
def test_every_epoch_holds_every_record_once(num_records):
  order = EpochOrder(num_records, seed=3)
  records = [order.record(i) for i in range(3 * num_records)]
  for epoch in np.reshape(records, (3, num_records)):
    np.testing.assert_array_equal(np.sort(epoch), np.arange(num_records))


def test_epochs_seeds_and_streams_differ():
  def epoch(number, **key):
    order = EpochOrder(97, **key)
    return tuple(order.record(97 * number + i) for i in range(97))

  runs = {
    epoch(0, seed=1),
    epoch(1, seed=1),
    epoch(0, seed=2),
    epoch(0, seed=-1),
    epoch(0, seed=1, stream=1),
  }
  assert len(runs) == 5


def test_order_stays_the_same_in_all_versions():
  order = EpochOrder(11, seed=7)
  assert [int(order.record(i)) for i in range(11)] == RECORDED


def test_a_position_needs_nothing_before_it():
  late = EpochOrder(13, seed=5)
  early = EpochOrder(13, seed=5)
  records = [early.record(i) for i in range(100)]
  assert late.record(99) == records[99]
