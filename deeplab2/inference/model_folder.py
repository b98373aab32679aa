"""The folder of a SavedModel: what it is, and how it appears whole."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path


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

  What has that name is replaced then.
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(
    dir=path.parent, prefix=f".{path.name}."
  ) as parent:
    folder = Path(parent) / "new"
    folder.mkdir()
    yield folder
    if path.exists():
      path.rename(Path(parent) / "old")
    folder.rename(path)
