import os

import pytest

from deeplab2.datasets.parallel import map_in_processes, usable_cores


@pytest.mark.parametrize("num_processes", [1, 2])
def test_results_keep_the_order_of_the_items(num_processes):
  items = ["a", "bbb", "cc"] * 5
  found = list(map_in_processes(len, items, num_processes, chunk=2))
  assert found == [1, 3, 2] * 5


@pytest.mark.parametrize("num_processes", [1, 2])
def test_an_error_reaches_the_caller(num_processes):
  with pytest.raises(ValueError, match="invalid literal for int"):
    list(map_in_processes(int, ["1", "one", "2"], num_processes))


def test_one_process_is_this_one():
  assert list(map_in_processes(_process_id, [0])) == [os.getpid()]


def test_there_is_a_core():
  assert 1 <= usable_cores() <= os.cpu_count()


def _process_id(_):
  return os.getpid()
