import numpy as np
import pytest

from deeplab2.benchmark import memory

MEGABYTE = 2**20


def test_the_peak_holds_what_was_freed_until_it_is_reset():
  if not memory._CLEAR.exists():
    pytest.skip("this system has no /proc/self/clear_refs")
  memory.reset_peak()
  before = memory.peak_bytes()
  block = np.ones(64 * MEGABYTE, np.uint8)
  del block
  high = memory.peak_bytes()
  assert high > before + 32 * MEGABYTE
  assert memory.resident_bytes() < high
  memory.reset_peak()
  assert memory.peak_bytes() < high - 32 * MEGABYTE


def test_missing_fields_are_named():
  if not memory._STATUS.exists():
    pytest.skip("this system has no /proc/self/status")
  with pytest.raises(ValueError, match="expected a field VmNothing; there is"):
    memory._status("VmNothing")
