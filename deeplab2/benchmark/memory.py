"""Memory of this process, as the operating system counts it."""

import contextlib
import pathlib
import resource
import sys

_STATUS = pathlib.Path("/proc/self/status")
_CLEAR = pathlib.Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5)


def peak_bytes() -> int:
  """The most memory that was resident since the start, or `reset_peak`."""
  if _STATUS.exists():
    return _status("VmHWM")
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return peak if sys.platform == "darwin" else 1024 * peak


def resident_bytes() -> int:
  """Memory that is resident now; the peak where that is not known."""
  return _status("VmRSS") if _STATUS.exists() else peak_bytes()


def reset_peak() -> None:
  """Lets the peak begin anew where the system can; elsewhere it stays."""
  with contextlib.suppress(OSError):
    _CLEAR.write_text(_RESET_PEAK)


def _status(field: str) -> int:
  """A field of /proc/self/status, which has them in units of 1024 bytes."""
  for line in _STATUS.read_text("ascii").splitlines():
    name, _, value = line.partition(":")
    if name == field:
      return 1024 * int(value.split()[0])
  raise ValueError(f"{_STATUS}: expected a field {field}; there is none.")
