"""The house keeps its plan: where files are, and that none is without test."""

import subprocess

import pytest
from source_tree import (
  PROGRAM_FOLDERS,
  ROOT,
  imported_names,
  modules,
  python_files,
  short,
)

TOP_LEVEL = {
  ".ci",
  ".gitignore",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "LICENSE",
  "Makefile",
  "README.md",
  "configs",
  "data",
  "deeplab2",
  "evaluation",
  "g3doc",
  "pyproject.toml",
  "setup.py",
  "tests",
  "trainer",
}
SUBPACKAGES = {
  "backbones",
  "benchmark",
  "config",
  "datasets",
  "heads",
  "inference",
  "input",
  "interop",
  "layers",
  "losses",
  "metrics",
  "models",
  "postprocess",
  "training",
  "visualize",
}

# What the tests of a folder share; nothing else may import it.
TEST_AIDS = {
  "deeplab2/input/testing.py",
  "deeplab2/losses/random_scenes.py",
  "deeplab2/training/fake_architecture.py",
  "deeplab2/training/fake_run.py",
}


def test_every_module_has_its_test_beside_it():
  missing = [
    short(module)
    for module in modules("deeplab2", *PROGRAM_FOLDERS)
    if short(module) not in TEST_AIDS
    and not module.with_name(f"{module.stem}_test.py").is_file()
  ]
  assert missing == []


@pytest.mark.parametrize("aid", sorted(TEST_AIDS))
def test_what_tests_share_is_imported_by_tests_alone(aid):
  name = aid.removesuffix(".py").replace("/", ".")
  for module in modules("deeplab2", *PROGRAM_FOLDERS):
    if short(module) in TEST_AIDS:
      continue
    imports = imported_names(module)
    assert not any(each.startswith(name) for each in imports), short(module)


def test_every_test_has_its_module_beside_it():
  tests = [
    file
    for file in python_files("deeplab2", *PROGRAM_FOLDERS)
    if file.stem.endswith("_test")
  ]
  assert [short(file) for file in tests if not has_subject(file)] == []


def has_subject(test):
  """Whether a module, or a function of the package itself, has that name.

  A module of many aspects may have a test each: MODULE_ASPECT_test.py.
  """
  name = test.stem.removesuffix("_test")
  siblings = {file.stem for file in test.parent.glob("*.py")} - {test.stem}
  if any(f"{name}_".startswith(f"{sibling}_") for sibling in siblings):
    return True
  index = test.with_name("__init__.py")
  return index.is_file() and f"\ndef {name}(" in index.read_text("utf-8")


@pytest.mark.parametrize("folder", PROGRAM_FOLDERS)
def test_a_folder_of_programs_is_not_a_package(folder):
  assert list((ROOT / folder).rglob("__init__.py")) == []


def test_every_folder_of_the_library_is_a_package():
  folders = {file.parent for file in python_files("deeplab2")}
  missing = [short(f) for f in folders if not (f / "__init__.py").is_file()]
  assert missing == []


def test_no_program_is_named_like_a_module_it_imports():
  for program in modules(*PROGRAM_FOLDERS):
    roots = {name.partition(".")[0] for name in imported_names(program)}
    assert program.stem not in roots, short(program)


def test_the_library_has_the_rooms_of_the_plan():
  entries = (ROOT / "deeplab2").iterdir()
  folders = {e.name for e in entries if (e / "__init__.py").is_file()}
  assert folders == SUBPACKAGES


def test_the_top_level_is_fixed():
  listed = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
  )
  if listed.returncode:
    pytest.skip("this copy of the source is not a git checkout")
  names = {line.partition("/")[0] for line in listed.stdout.splitlines()}
  assert names == TOP_LEVEL
