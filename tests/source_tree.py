"""The source as data, for the tests that sweep over all of it."""

import ast
import pathlib
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM_FOLDERS = ("data", "trainer", "evaluation")
_NOT_MODULES = ("__init__.py", "conftest.py")


def python_files(*folders: str) -> list[pathlib.Path]:
  """All hand-written files below the folders, tests included."""
  found = (file for name in folders for file in (ROOT / name).rglob("*.py"))
  return sorted(file for file in found if not file.stem.endswith("_pb2"))


def is_test(file: pathlib.Path) -> bool:
  return file.stem.endswith("_test") or file.name == "conftest.py"


def modules(*folders: str) -> list[pathlib.Path]:
  """Files with code of their own: no test, no package index."""
  files = python_files(*folders)
  return [f for f in files if not is_test(f) and f.name not in _NOT_MODULES]


def imported_names(file: pathlib.Path) -> Iterator[str]:
  """Dotted names of all imports of a file, those inside functions included.

  `from a import b` gives "a.b", as b may be a module.
  """
  for node in ast.walk(ast.parse(file.read_text("utf-8"))):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      dots = "." * node.level
      for alias in node.names:
        yield f"{dots}{node.module or ''}.{alias.name}"


def short(file: pathlib.Path) -> str:
  """A path as a reader types it."""
  return file.relative_to(ROOT).as_posix()
