import mmap

import pytest

from deeplab2.benchmark import memory

MEGABYTE = 2**20


def test_the_peak_holds_what_was_freed_until_it_is_reset():
  if not memory._CLEAR.exists():
    pytest.skip("this system has no /proc/self/clear_refs")
  memory.reset_peak()
  before = memory.peak_bytes()
  # An allocator may keep what is freed; a mapping that is closed is gone.
  with mmap.mmap(-1, 256 * MEGABYTE) as block:
    block.write(b"\1" * len(block))
  high = memory.peak_bytes()
  # What tests before this one left may be freed meanwhile.
  assert high > before + 128 * MEGABYTE
  assert memory.resident_bytes() < high
  memory.reset_peak()
  assert memory.peak_bytes() < high - 128 * MEGABYTE


def test_missing_fields_are_named():
  if not memory._STATUS.exists():
    pytest.skip("this system has no /proc/self/status")
  with pytest.raises(ValueError, match="expected a field VmNothing; there is"):
    memory._status("VmNothing")
