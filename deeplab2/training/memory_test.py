import os

import numpy as np
import pytest

from deeplab2.training.memory import memory_in_use, memory_of_host

pytestmark = pytest.mark.skipif(
  not os.path.exists("/proc/self/statm"), reason="no /proc"
)


def test_what_a_process_takes_is_seen():
  before = memory_in_use()["host"]
  taken = np.ones(10**8, np.uint8)
  assert 0.9e8 < memory_in_use()["host"] - before < 2e8
  assert taken.any()


def test_a_process_has_less_than_there_is():
  assert memory_in_use()["host"] < memory_of_host()
