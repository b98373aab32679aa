import importlib.util
import json
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from unittest import mock

import pytest

from deeplab2.benchmark import worker
from deeplab2.lean_keras import leave_out_extras

KERAS = ["keras", "tf_keras"]
EXTRAS = ["cv2", "matplotlib", "pandas", "sklearn"]

with_matplotlib = pytest.mark.skipif(
  importlib.util.find_spec("matplotlib") is None,
  reason="matplotlib is not installed",
)

_PROGRAM = """
import json, sys
from deeplab2.lean_keras import leave_out_extras

how, *extras = sys.argv[1:]
if how == "lean":
  leave_out_extras()
import keras

imported = [name for name in extras if name in sys.modules]
finders = list(sys.meta_path)
leave_out_extras()
same = sys.meta_path == finders
try:
  import matplotlib.pyplot
  error = None
except ImportError as e:
  error = str(e)
print(json.dumps({"imported": imported, "same": same, "error": error}))
"""


@pytest.fixture(scope="module")
def programs():
  """What programs with and without extras found; they run at once."""
  runs = {
    how: subprocess.Popen(
      [sys.executable, "-c", _PROGRAM, how, *EXTRAS],
      stdout=subprocess.PIPE,
      text=True,
      env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    for how in ("lean", "full")
  }
  return {how: json.loads(run.communicate()[0]) for how, run in runs.items()}


@pytest.fixture
def finders(monkeypatch):
  """Those of a process that has not imported Keras, nor said how."""
  left = [finder for finder in sys.meta_path if not _is_ours(finder)]
  monkeypatch.setattr(sys, "meta_path", left)
  with mock.patch.dict(sys.modules):
    for name in (*KERAS, "torch", *EXTRAS):
      sys.modules.pop(name, None)
    yield left


@pytest.fixture(params=KERAS)
def keras(request, finders, tmp_path, monkeypatch):
  """One that is being imported, and empty modules that are named as extras."""
  leave_out_extras()
  for name in EXTRAS:
    (tmp_path / f"{name}.py").touch()
  monkeypatch.syspath_prepend(tmp_path)
  return _begin(request.param)


def _is_ours(finder):
  return type(finder).__module__ == "deeplab2.lean_keras"


def _begin(package):
  """A package that is being imported."""
  module = sys.modules[package] = ModuleType(package)
  module.__spec__ = ModuleSpec(package, None)
  module.__spec__._initializing = True
  return module


def _import(name, importer):
  exec(f"import {name}", {"__name__": importer})


def test_keras_imports_no_extra(programs):
  assert programs["lean"]["imported"] == []


@with_matplotlib
def test_it_would_import_them(programs):
  assert "matplotlib" in programs["full"]["imported"]


@with_matplotlib
def test_afterwards_others_import_them(programs):
  assert programs["lean"]["error"] is None


def test_a_keras_that_is_there_stays_as_it_is(programs):
  assert programs["full"]["same"]


def test_once_is_enough(finders):
  leave_out_extras()
  leave_out_extras()
  assert [_is_ours(finder) for finder in finders].count(True) == 1


@pytest.mark.parametrize("name", EXTRAS)
def test_no_extra_is_found_for_keras(keras, name):
  with pytest.raises(ModuleNotFoundError) as error:
    _import(name, f"{keras.__name__}.src.layers")
  assert str(error.value) == f"No module named '{name}'"
  assert error.value.name == name


@pytest.mark.parametrize("name", EXTRAS)
def test_others_find_it_meanwhile(keras, name):
  assert importlib.util.find_spec(name)
  _begin("torch")
  _import(name, "torch.overrides")
  _import(name, keras.__name__)  # it is there by now
  assert name in sys.modules


def _imported(keras):
  keras.__spec__._initializing = False


def _without_the_attribute(keras):
  del keras.__spec__._initializing


def _without_spec(keras):
  keras.__spec__ = None


def _not_begun(keras):
  del sys.modules[keras.__name__]


@pytest.mark.parametrize(
  "state", [_imported, _without_the_attribute, _without_spec, _not_begun]
)
def test_keras_finds_it_when_it_is_not_being_imported(keras, state):
  state(keras)
  _import("pandas", keras.__name__)
  assert "pandas" in sys.modules


@pytest.mark.parametrize("importer", [*KERAS, "deeplab2.config"])
def test_what_is_missing_anyway_gives_the_ordinary_error(
  keras, finders, importer
):
  finders[:] = filter(_is_ours, finders)
  with pytest.raises(ModuleNotFoundError) as error:
    _import("pandas", importer)
  assert str(error.value) == "No module named 'pandas'"
  assert error.value.name == "pandas"


def test_a_measurement_leaves_them_out(finders):
  with pytest.raises(ValueError, match="unpack"):
    worker.main([])
  assert _is_ours(finders[0])
