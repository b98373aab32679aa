"""From what a user calls a checkpoint to the prefix of its files.

That is a prefix, a folder of checkpoints, or an archive as the original's model
zoo has it for download.
"""

import contextlib
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator

import tensorflow as tf

from deeplab2.interop.checkpoint_contents import (
  CheckpointContents,
  UnreadableCheckpointError,
)

_ARCHIVES = (".tar.gz", ".tgz", ".tar")
_CHUNK = 2**20
_MEMBER = re.compile(r".+\.(index|data-\d{5}-of-\d{5})|checkpoint")


def is_archive(path: str) -> bool:
  """Whether a path is named like an archive of a checkpoint."""
  return str(path).endswith(_ARCHIVES)


@contextlib.contextmanager
def open_checkpoint(path: str) -> Iterator[str]:
  """The prefix of a checkpoint's files, for the length of a `with` block.

  Args:
    path: a prefix, with or without ".index"; a folder, for its newest
      checkpoint; or an archive, which is extracted into a folder that is gone
      after the block.

  Raises:
    ValueError: there is no checkpoint, or the archive is broken.
  """
  path = located(path)
  if not is_archive(path):
    yield path
    return
  with tempfile.TemporaryDirectory(prefix="deeplab2-checkpoint-") as folder:
    try:
      yield _extracted(path, folder)
    except UnreadableCheckpointError as error:
      # Its folder is gone when somebody reads the message.
      inside = re.sub(rf"{re.escape(folder)}/\d+/", "", str(error))
      raise UnreadableCheckpointError(f"{path}: {inside}") from error


def located(path: str) -> str:
  """What a path stands for: an archive for itself, else as `resolve` says."""
  path = str(path)
  return path if is_archive(path) and _is_file(path) else resolve(path)


def resolve(path: str, log: Callable = print) -> str:
  """A checkpoint's prefix, of a prefix or of a folder with checkpoints.

  In a folder, that is the one which its `checkpoint` file names, else the one
  of the highest step, else the only one. One that is not there is passed over,
  and one that is cut short or garbled where there is an older one; `log` gets a
  line that says so.

  Raises:
    ValueError: there is none, or one cannot tell which.
  """
  path = str(path).removesuffix(".index")
  if tf.io.gfile.isdir(path):
    return _newest_whole(_listed(path, log) or _newest(path), log)
  if tf.io.gfile.exists(f"{path}.index"):
    return path
  raise _nothing_at(path)


def _listed(folder: str, log: Callable) -> str | None:
  """The checkpoint that a folder's `checkpoint` file names, if it is there."""
  try:
    state = tf.train.get_checkpoint_state(folder)
  except ValueError:  # empty, or not text
    state = None
  prefix = state.model_checkpoint_path if state else ""
  if prefix and not tf.io.gfile.exists(f"{prefix}.index"):
    log(
      f"Passed over checkpoint {prefix}, which {folder}/checkpoint names: it is"
      " not there."
    )
    return None
  return prefix or None


def _newest_whole(newest: str, log: Callable) -> str:
  """The prefix, or that of the newest older step that can be read."""
  folder = os.path.dirname(newest)
  older = [
    os.path.join(folder, f"ckpt-{step}")
    for step in reversed(checkpoint_steps(folder))
  ]
  if newest in older:
    older = older[older.index(newest) + 1 :]
  if not older:
    return newest  # broken or not: whoever reads it will say
  problems = []
  for prefix in (newest, *older):
    try:
      _read_all(prefix)
    except UnreadableCheckpointError as error:
      problems.append(error)
    else:
      for problem in problems:
        log(f"Passed over {problem}")
      return prefix
  return newest


def _read_all(prefix: str) -> None:
  """Raises an UnreadableCheckpointError unless every array can be read."""
  contents = CheckpointContents(prefix)
  contents.check(contents.shapes)


def checkpoint_steps(directory: str) -> list[int]:
  """The steps of the checkpoints `ckpt-<step>` in a directory, ascending."""
  if not tf.io.gfile.isdir(directory):
    return []
  found = (re.fullmatch(r"ckpt-(\d+)", name) for name in _prefixes(directory))
  return sorted(int(match[1]) for match in found if match)


def _newest(folder: str) -> str:
  steps = checkpoint_steps(folder)
  if steps:
    return os.path.join(folder, f"ckpt-{steps[-1]}")
  names = _prefixes(folder)
  if not names:
    raise _nothing_at(folder)
  if len(names) > 1:
    raise ValueError(
      f"checkpoint: expected one of {', '.join(names)}, all of {folder}; got "
      "the folder alone, which does not say which is the newest."
    )
  return os.path.join(folder, names[0])


def _prefixes(folder: str) -> list[str]:
  """Names of the checkpoints in a folder, without it."""
  names = tf.io.gfile.listdir(folder)
  return sorted(n.removesuffix(".index") for n in names if _is_index(n))


def _is_index(name: str) -> bool:
  return name.endswith(".index") and not name.startswith(".")


def _nothing_at(path: str) -> ValueError:
  return ValueError(
    "checkpoint: expected the prefix of one, such as runs/demo/ckpt-1000, a"
    " directory that holds some, or the .tar.gz of one; found none at"
    f" {path}."
  )


def _extracted(path: str, folder: str) -> str:
  """Prefix in `folder` of the one checkpoint of an archive."""
  found = _extract(path, folder)
  if not found:
    raise ValueError(
      f"{path}: expected an archive with a checkpoint, files such as"
      " ckpt-100.index and ckpt-100.data-00000-of-00001; found none in it."
    )
  if len(found) > 1:
    raise ValueError(
      f"{path}: expected the checkpoint in one folder of the archive; found"
      f" some in {', '.join(sorted(found))}. Extract it and name one."
    )
  return resolve(next(iter(found.values())))


def _extract(path: str, folder: str) -> dict[str, str]:
  """Unpacks checkpoint files; folder in the archive -> folder on disk.

  Only the last part of a member's name reaches the disk, and only plain files
  are read, so no archive can write outside of `folder`.
  """
  found = {}
  try:
    with (
      tf.io.gfile.GFile(path, "rb") as file,
      tarfile.open(fileobj=file) as archive,
    ):
      for member in archive:
        inside, name = os.path.split(member.name)
        if not (member.isfile() and _MEMBER.fullmatch(name)):
          continue
        if inside not in found:
          found[inside] = os.path.join(folder, str(len(found)))
          os.makedirs(found[inside])
        with open(os.path.join(found[inside], name), "wb") as target:
          shutil.copyfileobj(archive.extractfile(member), target)
      # The checksum of all is at the very end, which nothing else asks for.
      while archive.fileobj.read(_CHUNK):
        pass
  except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
    # Of a file that is no archive, it has a line for each format that failed.
    reason = str(error).partition("\n")[0].rstrip(":")
    raise ValueError(
      f"{path}: expected a whole .tar or .tar.gz; it cannot be read to its "
      f"end: {reason}."
    ) from error
  return {
    inside: on_disk for inside, on_disk in found.items() if _has_index(on_disk)
  }


def _is_file(path: str) -> bool:
  return tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)


def _has_index(folder: str) -> bool:
  return any(map(_is_index, os.listdir(folder)))
