"""Memory of a run: how much is in use and there, and when it is freed."""

import ctypes
import os
import pathlib
import sys

import tensorflow as tf

_PAGES = pathlib.Path("/proc/self/statm")
_LIMITS = (
  pathlib.Path("/sys/fs/cgroup/memory.max"),
  pathlib.Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory_in_use() -> dict[str, int]:
  """Device -> bytes: "host", what is resident of this process, and each GPU.

  The host is missing where the system does not say.
  """
  used = {}
  if _PAGES.exists():
    pages = int(_PAGES.read_text("ascii").split()[1])
    used["host"] = pages * os.sysconf("SC_PAGE_SIZE")
  for gpu in tf.config.list_logical_devices("GPU"):
    name = gpu.name.removeprefix("/device:")
    used[name] = tf.config.experimental.get_memory_info(name)["current"]
  return used


def give_back_freed() -> None:
  """Returns to the system what the C library keeps of freed memory.

  It keeps what lies between blocks in use, for blocks of that size. Only glibc
  can be asked not to; elsewhere nothing happens.
  """
  if sys.platform != "linux":
    return
  library = ctypes.CDLL(None)
  if hasattr(library, "malloc_trim"):
    library.malloc_trim(0)


def memory_of_host() -> int | None:
  """Bytes that this process could have: the machine's, or its container's."""
  try:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
  except (ValueError, OSError, AttributeError):
    return None
  limits = [
    path.read_text("ascii").strip() for path in _LIMITS if path.exists()
  ]
  return min([total, *(int(text) for text in limits if text.isdigit())])
