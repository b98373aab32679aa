"""Files that are there as a whole or not at all, power cuts included."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping

import tensorflow as tf

_UNFINISHED = ".unfinished"


class NotWrittenError(Exception):
  """A file could not be written: no room, no right, a broken disk."""


def write_whole(path: str, content: str | bytes) -> None:
  """Writes a file; no reader, kill or power cut ever sees half of it.

  Raises:
    NotWrittenError: it cannot be; what was there before is still there.
  """
  unfinished = path + _UNFINISHED
  with writing(path, [unfinished]):
    with tf.io.gfile.GFile(unfinished, "wb") as file:
      file.write(content)
    put_in_place({unfinished: path})


def put_in_place(names: Mapping[str, str]) -> None:
  """Renames files of one folder, in order, once their content is on the disk.

  A rename can reach the disk before the content does: without the wait a power
  cut would leave an empty file under the new name.
  """
  for source in names:
    _wait_for_disk(source)
  for source, target in names.items():
    tf.io.gfile.rename(source, target, overwrite=True)
  _wait_for_disk(os.path.dirname(target) or ".")


@contextlib.contextmanager
def writing(path: str, unfinished=()) -> Iterator[None]:
  """Within, an error of the file system becomes one line about `path`.

  Args:
    path: what the user knows the file as.
    unfinished: files that are removed then, to leave the room to others.
  """
  try:
    yield
  except (OSError, tf.errors.OpError) as error:
    for name in unfinished:
      with contextlib.suppress(OSError, tf.errors.OpError):
        tf.io.gfile.remove(name)
    raise NotWrittenError(
      f"{path}: could not be written: {_reason(error)}."
    ) from error


@contextlib.contextmanager
def all_or_none(paths: Iterable[str]) -> Iterator[None]:
  """Within, files are made; if that fails, those that are new go again.

  So do folders that were made for them. A kill, which nobody can answer, leaves
  them: what makes the others count should be written last.

  Args:
    paths: of all that may be written, unfinished files of `write_whole` apart.
  """
  new = [path for path in paths if not tf.io.gfile.exists(path)]
  folders = [folder for path in new for folder in _missing_folders(path)]
  try:
    yield
  except BaseException:  # Ctrl-C as well
    for path in new:
      for name in (path, path + _UNFINISHED):
        with contextlib.suppress(OSError, tf.errors.OpError):
          tf.io.gfile.remove(name)
    for folder in dict.fromkeys(folders):
      with contextlib.suppress(OSError):  # somebody else's files are in it
        os.rmdir(folder)
    raise


def _missing_folders(path: str) -> Iterator[str]:
  """The folders above a file that are not there, the deepest first."""
  folder = os.path.dirname(path)
  while folder and not tf.io.gfile.exists(folder):
    yield folder
    folder = os.path.dirname(folder)


def _reason(error: Exception) -> str:
  """What the system said, such as "No space left on device"."""
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  first = (str(error).strip() or type(error).__name__).splitlines()[0]
  return first.rpartition("; ")[2].removesuffix("[Op:SaveV2]").strip()


def _wait_for_disk(path: str) -> None:
  """Returns when a file, or the names in a folder, would outlast a power cut.

  Other file systems than the machine's own promise that by themselves.
  """
  if "://" in path:
    return
  opened = os.open(path, os.O_RDONLY)
  try:
    os.fsync(opened)
  finally:
    os.close(opened)
