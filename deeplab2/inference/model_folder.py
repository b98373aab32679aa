"""The folder of a SavedModel: what it is, and how it appears whole."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from deeplab2.datasets.whole_file import only_writer


def is_saved_model(folder: str | Path) -> bool:
  """Whether a folder holds a SavedModel, of this package or another."""
  return (Path(folder) / "saved_model.pb").is_file()


def check_output_path(path: str | Path, overwrite: bool) -> None:
  """Raises ValueError unless a SavedModel may be made at `path`.

  Only another SavedModel is ever replaced, and only with `overwrite`.
  """
  path = Path(path)
  if not path.exists() or (path.is_dir() and not any(path.iterdir())):
    return
  if not is_saved_model(path):
    raise ValueError(
      "output_path: expected a new folder, or a SavedModel to replace; got "
      f"{path}, which holds something else."
    )
  if not overwrite:
    raise ValueError(
      "output_path: expected a new folder, or --overwrite to replace the "
      f"SavedModel there; got {path}."
    )


@contextlib.contextmanager
def appearing_whole(path: Path) -> Iterator[Path]:
  """A folder to fill, which gets the name `path` at the end, or vanishes.

  What has that name is replaced then. What an export that was killed left
  behind is removed by the next one to the same path.

  Raises:
    ValueError: another program is exporting to that path.
  """
  work = path.parent / f".{path.name}.part"
  work.mkdir(parents=True, exist_ok=True)
  new, old = work / "new", work / "old"
  with only_writer(work):
    if old.exists() and not path.exists():  # killed between the two renames
      old.rename(path)
    try:
      shutil.rmtree(new, ignore_errors=True)
      new.mkdir()
      yield new
      if path.exists():
        path.rename(old)
      new.rename(path)
    finally:
      shutil.rmtree(work, ignore_errors=True)
