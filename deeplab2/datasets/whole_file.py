"""Local files that are there as a whole or not at all.

A file is written under a hidden name, which no pattern such as `train*` takes
for a finished one, and then renamed. What a killed program leaves is written
over by the next one.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import BinaryIO


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[BinaryIO]:
  """A file that takes its name once it is written without an error.

  Raises:
    OSError: it cannot be written, such as for want of room; names the file.
      What was there before is still there.
  """
  folder, name = os.path.split(os.fspath(path))
  temporary = os.path.join(folder, f".{name}.part")
  try:
    with open(temporary, "wb") as file:
      yield file
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
