"""Which image files a command line means, and under which name each is kept."""

import glob
from collections.abc import Sequence
from pathlib import Path

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def find_image_files(inputs: Sequence[str]) -> dict[str, Path]:
  """The files that paths, folders and glob patterns name, by name.

  A folder stands for the pictures directly inside it, in order of their names;
  `**` in a pattern stands for any number of folders.

  Args:
    inputs: such as "cat.jpg", "photos/" and "photos/**/*.png".

  Returns:
    File name without suffix -> path, in the order of the inputs.

  Raises:
    ValueError: an input names nothing, or two files have the same name.
  """
  if not inputs:
    raise ValueError("input: expected at least one image or folder; got none.")
  files: dict[str, Path] = {}
  for given in inputs:
    for path in _expand(given):
      _add(files, path)
  return files


def _expand(given: str) -> list[Path]:
  path = Path(given).expanduser()
  if path.is_dir():
    inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
    return _some(
      inside, f"a folder with pictures ({', '.join(SUFFIXES)})", given
    )
  if path.is_file():
    return [path]
  matches = (Path(p) for p in glob.glob(str(path), recursive=True))
  files = sorted(p for p in matches if p.is_file())
  return _some(files, "an image, a folder or a pattern that matches", given)


def _some(paths: list[Path], expected: str, given: str) -> list[Path]:
  if not paths:
    raise ValueError(f"input: expected {expected}; got {given!r}.")
  return paths


def _add(files: dict[str, Path], path: Path) -> None:
  other = files.setdefault(path.stem, path)
  if other.resolve() != path.resolve():
    raise ValueError(
      "input: expected file names that differ without their suffix, because "
      f"results are kept by name; got {other} and {path}."
    )
