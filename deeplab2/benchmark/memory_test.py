import numpy as np
import pytest

from deeplab2.benchmark import memory

MEGABYTE = 2**20


def test_the_peak_holds_what_was_freed():
  before = memory.peak_bytes()
  size = max(64 * MEGABYTE, before)
  block = np.ones(size, np.uint8)
  del block
  assert memory.peak_bytes() > before + size // 4
  assert memory.resident_bytes() < memory.peak_bytes()


def test_a_reset_peak_is_that_of_what_follows():
  if not memory._CLEAR.exists():
    pytest.skip("this system has no /proc/self/clear_refs")
  block = np.ones(96 * MEGABYTE, np.uint8)
  del block
  high = memory.peak_bytes()
  memory.reset_peak()
  assert memory.peak_bytes() < high - 48 * MEGABYTE


def test_missing_fields_are_named():
  if not memory._STATUS.exists():
    pytest.skip("this system has no /proc/self/status")
  with pytest.raises(ValueError, match="expected a field VmNothing; there is"):
    memory._status("VmNothing")
