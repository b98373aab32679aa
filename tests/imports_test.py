"""Who may import whom: arrows point down, to what is more general."""

import ast
import sys

import pytest
from source_tree import (
  PROGRAM_FOLDERS,
  ROOT,
  imported_names,
  is_test,
  modules,
  python_files,
  short,
)

# Part of the library -> the parts that it may import, besides itself.
ARROWS = {
  "structures": set(),
  "lean_keras": set(),
  "program": {"lean_keras"},
  "stateless_random": set(),
  "backend": set(),
  "cpu_kernels": set(),
  "layers": {"cpu_kernels", "structures", "stateless_random"},
  "losses": {"structures", "stateless_random"},
  "metrics": {"structures"},
  "postprocess": {"structures", "layers"},
  "datasets": {"structures"},
  "backbones": {"structures", "layers"},
  "heads": {"structures", "layers"},
  "interop": {"structures", "layers"},
  "config": {"structures", "datasets"},
  "input": {"structures", "datasets", "config"},
  "visualize": {"structures", "datasets", "metrics"},
  "models": {
    "backend",
    "structures",
    "stateless_random",
    "layers",
    "losses",
    "metrics",
    "postprocess",
    "datasets",
    "backbones",
    "heads",
    "config",
  },
  "training": {
    "backend",
    "structures",
    "layers",
    "losses",
    "metrics",
    "postprocess",
    "datasets",
    "interop",
    "config",
    "input",
    "visualize",
    "models",
  },
  "inference": {
    "backend",
    "structures",
    "layers",
    "metrics",
    "postprocess",
    "datasets",
    "interop",
    "config",
    "input",
    "visualize",
    "models",
    "training",
  },
  "benchmark": {
    "cpu_kernels",
    "lean_keras",
    "backend",
    "structures",
    "layers",
    "losses",
    "metrics",
    "datasets",
    "config",
    "input",
    "models",
    "training",
  },
}
# Name that is imported -> name of the distribution that has it.
DISTRIBUTIONS = {
  "PIL": "Pillow",
  "absl": "absl-py",
  "google": "protobuf",
  "google_crc32c": "google-crc32c",
  "orbit": "tf-models-official",
}


def part(name):
  """The part of the library that a dotted name lies in; None outside."""
  root, _, rest = name.partition(".")
  return rest.partition(".")[0] if root == "deeplab2" else None


def test_the_arrows_have_no_circle():
  known, left = set(), dict(ARROWS)
  while left:
    free = {name for name, below in left.items() if below <= known}
    assert free, f"a circle among {sorted(left)}"
    known |= free
    left = {name: left[name] for name in left if name not in free}


@pytest.mark.parametrize("name", sorted(ARROWS))
def test_a_part_imports_only_what_lies_below_it(name):
  path = ROOT / "deeplab2" / name
  files = modules(f"deeplab2/{name}") if path.is_dir() else [f"{path}.py"]
  for file in map(ROOT.joinpath, files):
    used = set(map(part, imported_names(file))) - {None, name}
    assert used <= ARROWS[name], f"{short(file)} imports {used - ARROWS[name]}"


def test_every_part_has_its_arrows():
  entries = (ROOT / "deeplab2").glob("*")
  names = {entry.stem for entry in entries if not is_test(entry)}
  names -= {"__init__", "__pycache__"}
  assert names == set(ARROWS)


def test_programs_import_the_library_and_not_each_other():
  programs = {file.stem for file in modules(*PROGRAM_FOLDERS)}
  for file in modules(*PROGRAM_FOLDERS):
    roots = {name.partition(".")[0] for name in imported_names(file)}
    assert not roots & ({*PROGRAM_FOLDERS} | programs), short(file)


def test_imports_are_absolute():
  for file in python_files("deeplab2", *PROGRAM_FOLDERS):
    names = imported_names(file)
    assert not any(name.startswith(".") for name in names), short(file)


def test_legacy_keras_is_not_used():
  for file in python_files("deeplab2", *PROGRAM_FOLDERS, "tests"):
    for name in imported_names(file):
      assert name.partition(".")[0] != "tf_keras", short(file)
      assert not name.startswith("tensorflow.keras"), short(file)


def test_what_is_imported_is_required_and_what_is_required_is_imported():
  files = modules("deeplab2", *PROGRAM_FOLDERS)
  roots = {n.partition(".")[0] for file in files for n in imported_names(file)}
  outside = roots - set(sys.stdlib_module_names) - {"deeplab2"}
  used = {DISTRIBUTIONS.get(name, name) for name in outside}
  assert used == required_distributions()


def required_distributions():
  """Names in REQUIRES and in the extras of setup.py that users install."""
  tree = ast.parse((ROOT / "setup.py").read_text("utf-8"))
  values = {
    node.targets[0].id: ast.literal_eval(node.value)
    for node in tree.body
    if isinstance(node, ast.Assign) and node.targets[0].id != "HERE"
  }
  extras = values["EXTRAS"]
  requirements = [*values["REQUIRES"], *extras["train"]]
  requirements += [*extras["jax"], *extras["torch"]]
  return {
    requirement.partition(">")[0].partition("~")[0]
    for requirement in requirements
  }
