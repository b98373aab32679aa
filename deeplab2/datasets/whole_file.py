"""Local files that are there as a whole or not at all.

A file is written under a hidden name, which no pattern such as `train*` takes
for a finished one, and then renamed. What a killed program leaves is written
over by the next one, or removed with `remove_leftovers`.
"""

import contextlib
import glob
import os
from collections.abc import Iterator
from typing import BinaryIO

try:
  import fcntl
except ImportError:  # not a Unix
  fcntl = None

_UNFINISHED = ".part"


@contextlib.contextmanager
def whole_file(
  path: str | os.PathLike, durable: bool = True
) -> Iterator[BinaryIO]:
  """A file that takes its name once it is written without an error.

  Args:
    path: of the file.
    durable: whether to wait for the disk, so that not even a power cut leaves a
      file without its content; some milliseconds, which many small files that
      can be made again do not need.

  Raises:
    OSError: it cannot be written, such as for want of room; names the file.
      What was there before is still there.
  """
  folder, name = os.path.split(os.fspath(path))
  temporary = os.path.join(folder, f".{name}{_UNFINISHED}")
  try:
    with open(temporary, "wb") as file:
      yield file
      if durable:
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
  except OSError as error:
    # Of what it only writes to, the system does not say the name.
    if error.errno and error.filename is None:
      raise OSError(error.errno, error.strerror, os.fspath(path)) from error
    raise
  finally:
    with contextlib.suppress(FileNotFoundError):
      os.remove(temporary)


def write_text(path: str | os.PathLike, text: str) -> None:
  """Writes a file in UTF-8."""
  with whole_file(path) as file:
    file.write(text.encode())


def remove_leftovers(folder: str | os.PathLike) -> None:
  """Removes what programs that were killed left of files in a folder."""
  pattern = os.path.join(glob.escape(os.fspath(folder)), f".*{_UNFINISHED}")
  for path in glob.glob(pattern):
    with contextlib.suppress(FileNotFoundError):
      os.remove(path)


@contextlib.contextmanager
def only_writer(folder: str | os.PathLike) -> Iterator[None]:
  """Within, no other program that asks for it writes to a folder.

  The claim ends with the process, however that ends, and leaves no file.

  Raises:
    ValueError: another program is there.
  """
  if fcntl is None:
    yield
    return
  handle = os.open(folder, os.O_RDONLY)
  try:
    _lock(handle, folder)
    yield
  finally:
    os.close(handle)


def _lock(handle: int, folder) -> None:
  try:
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError as error:
    raise ValueError(
      f"{os.fspath(folder)}: another program is writing there; wait for it, or "
      "choose another folder."
    ) from error
  except OSError:  # some network file systems have no locks
    return
