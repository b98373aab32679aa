"""One process at a time trains, or evaluates, in the directory of a run.

The lock is the system's, on an open file, and so ends with its process, however
that ends. What the file says is for the one who is refused.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator

from deeplab2.training import files

try:
  import fcntl
except ImportError:  # not a Unix
  fcntl = None


@contextlib.contextmanager
def run_lock(model_dir: str, job: str, log: Callable = print) -> Iterator[None]:
  """Within, no other process does the same job in a directory.

  Args:
    model_dir: of the run; made if it is not there.
    job: what is done, one word.
    log: takes a line where the file system has no locks.

  Raises:
    ValueError: another process does, which is named; or a file has the name.
    files.NotWrittenError: the directory cannot be written to.
  """
  if fcntl is None or "://" in model_dir:
    yield
    return
  if os.path.lexists(model_dir) and not os.path.isdir(model_dir):
    raise ValueError(
      "model_dir: expected a directory, or the name of one to make; got"
      f" {model_dir}, which is something else."
    )
  path = os.path.join(model_dir, f".{job}.lock")
  with files.writing(path):
    os.makedirs(model_dir, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
  try:
    _lock(handle, model_dir, job, log)
    yield
  finally:
    os.close(handle)


def _lock(handle: int, model_dir: str, job: str, log: Callable) -> None:
  try:
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    raise ValueError(
      f"model_dir: expected one run of {job} at a time in {model_dir}; got a"
      f" second: {_holder(handle)} is at it. End that one (it ends with Ctrl-C"
      f" or `kill`, and saves), or choose another --model_dir."
    ) from None
  except OSError as error:  # some network file systems have no locks
    log(
      f"warning: {model_dir} cannot be locked ({error.strerror}). See to it"
      f" that no second run of {job} is started there."
    )
    return
  since = time.strftime("%Y-%m-%d %H:%M:%S")
  text = f"process {os.getpid()} on {socket.gethostname()}, since {since},"
  with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode(), 0)


def _holder(handle: int) -> str:
  """Who has the lock, as it said itself."""
  text = os.pread(handle, 1000, 0).decode("utf-8", "replace").strip()
  return text or "a process that does not say which"
