"""Other backends of Keras say what TensorFlow says, within float32 rounding."""

import importlib.util
import json
import os
import subprocess
import sys

import backend_agreement
import numpy as np
import pytest
from source_tree import ROOT

# Largest difference, as a part of the largest value of a tensor; of maps, the
# share of pixels that another slot wins.
TOLERANCES = {
  "outputs": 2e-5,
  "losses": 2e-5,
  "gradients": 5e-4,
  "maps": 1e-3,
}


@pytest.fixture(scope="module", params=["jax", "torch"])
def other(request):
  name = request.param
  if importlib.util.find_spec(name) is None:
    pytest.skip(f"{name} is not installed: pip install -e '.[{name}]'")
  return name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp("backends")
  backend_agreement.record(folder)
  return folder


def test_a_backend_agrees_with_tensorflow(other, folder):
  found = run(other, folder)
  assert found["backend"] == other
  assert found["moves_averages"]
  differences = found["differences"]
  kinds = {name.partition("/")[0] for name in differences}
  assert kinds == set(TOLERANCES)
  far = {
    name: value
    for name, value in differences.items()
    if not value <= TOLERANCES[name.partition("/")[0]]
  }
  assert far == {}


def run(backend, folder):
  path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
  done = subprocess.run(
    [sys.executable, ROOT / "tests/backend_agreement.py", folder],
    capture_output=True,
    text=True,
    env={
      **os.environ,
      "PYTHONPATH": path,
      "KERAS_BACKEND": backend,
      # What is compiled here runs once.
      "XLA_FLAGS": "--xla_backend_optimization_level=0",
    },
    timeout=900,
  )
  assert done.returncode == 0, done.stderr[-3000:]
  return json.loads(done.stdout.splitlines()[-1])


def test_the_recorded_maps_say_something(other, folder):
  del other  # without another backend nothing is recorded
  expected = np.load(folder / "expected.npz")
  assert len(np.unique(expected["maps/panoptic"])) > 3
  assert expected["losses/total_loss"].min() > 0
