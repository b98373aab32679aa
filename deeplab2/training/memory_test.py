import ctypes
import os

import numpy as np
import pytest

from deeplab2.training.memory import (
  give_back_freed,
  memory_in_use,
  memory_of_host,
)

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


@pytest.mark.skipif(
  not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc"
)
def test_freed_memory_between_blocks_in_use_goes_back():
  blocks = [b"x" * 50_000 for _ in range(6000)]  # 0.3 GB
  used = blocks[::100]
  del blocks
  before = memory_in_use()["host"]
  give_back_freed()
  assert before - memory_in_use()["host"] > 2e8
  assert used
