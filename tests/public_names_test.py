"""`import deeplab2` is quick, and what it offers is a decision."""

import subprocess
import sys

import pytest

import deeplab2

NAMES = [
  "Predictor",
  "__version__",
  "build_model",
  "load_checkpoint",
  "load_experiment",
]
QUICK = [
  "deeplab2",
  "deeplab2.config",
  "deeplab2.datasets",
  "deeplab2.structures",
]
HEAVY = ("tensorflow", "keras", "orbit", "tf_keras", "scipy", "matplotlib")

MEASURE = """
import sys, time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
print(*sorted({heavy} & set(sys.modules)))
"""


def measure_import(module):
  """Seconds and heavy modules that an import takes in a fresh process."""
  code = MEASURE.format(module=module, heavy=set(HEAVY))
  done = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  seconds, heavy = done.stdout.split("\n")[:2]
  return float(seconds), heavy.split()


def test_the_public_names_are_these():
  assert sorted(deeplab2.__all__) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_leads_somewhere(name):
  value = getattr(deeplab2, name)
  assert value is getattr(deeplab2, name)
  assert name == "__version__" or value.__name__ == name
  assert name in dir(deeplab2)


def test_an_unknown_name_is_an_attribute_error():
  with pytest.raises(AttributeError) as error:
    deeplab2.Predicter  # noqa: B018
  assert str(error.value) == "module 'deeplab2' has no attribute 'Predicter'."


def test_the_package_is_quick_to_import():
  assert min(measure_import("deeplab2")[0] for _ in range(3)) < 0.5


@pytest.mark.parametrize("module", QUICK)
def test_nothing_heavy_is_imported_along(module):
  assert measure_import(module)[1] == []
