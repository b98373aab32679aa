import os
import platform
import subprocess
import sys

import pytest

from deeplab2.cpu_kernels import (
  VARIABLE,
  in_use,
  onednn_in_use,
  prefer_onednn,
)


@pytest.mark.parametrize(
  ("machine", "found", "expected"),
  [
    ("x86_64", None, "1"),
    ("AMD64", None, "1"),
    ("aarch64", None, None),
    ("arm64", None, None),
    ("x86_64", "0", "0"),
    ("aarch64", "1", "1"),
  ],
)
def test_onednn_is_chosen_on_x86_where_nobody_chose(
  monkeypatch, machine, found, expected
):
  monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
  if found is None:
    monkeypatch.delenv(VARIABLE, raising=False)
  else:
    monkeypatch.setenv(VARIABLE, found)
  prefer_onednn(machine)
  assert os.environ.get(VARIABLE) == expected


def test_nothing_is_chosen_for_a_tensorflow_that_runs(monkeypatch):
  monkeypatch.delenv(VARIABLE, raising=False)
  monkeypatch.setitem(sys.modules, "tensorflow", sys)
  prefer_onednn("x86_64")
  assert VARIABLE not in os.environ


def test_it_is_chosen_before_tensorflow_starts():
  code = (
    "import os, sys; from deeplab2 import cpu_kernels; "
    "assert 'tensorflow' not in sys.modules; "
    "chosen = dict(os.environ); cpu_kernels.prefer_onednn(); "
    "assert dict(os.environ) == chosen; "
    "assert cpu_kernels.VARIABLE not in cpu_kernels.environment_as_found()"
  )
  environment = {k: v for k, v in os.environ.items() if k != VARIABLE}
  subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.parametrize(
  "backend, kinds, expected",
  [
    ("tensorflow", ["CPU"], True),
    ("tensorflow", ["CPU", "CPU"], True),
    ("tensorflow", ["CPU", "GPU"], False),
    ("jax", ["CPU"], False),
    ("torch", ["CPU"], False),
  ],
)
def test_they_are_in_use_where_tensorflow_has_nothing_else(
  monkeypatch, backend, kinds, expected
):
  import keras
  import tensorflow as tf

  monkeypatch.setattr(keras.backend, "backend", lambda: backend)
  devices = [tf.config.LogicalDevice(f"/{kind}:0", kind) for kind in kinds]
  monkeypatch.setattr(tf.config, "list_logical_devices", lambda: devices)
  assert in_use() is expected


@pytest.mark.skipif(
  platform.machine() not in {"x86_64", "AMD64"}, reason="oneDNN is for x86"
)
@pytest.mark.parametrize("chosen, expected", [("1", True), ("0", False)])
def test_tensorflow_says_whether_they_are_of_onednn(chosen, expected):
  code = (
    "from deeplab2 import cpu_kernels as kernels; "
    f"assert kernels.onednn_in_use() == ({expected} and kernels.in_use())"
  )
  environment = os.environ | {VARIABLE: chosen}
  subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_onednn_is_out_of_use_on_accelerators(monkeypatch):
  monkeypatch.setattr("deeplab2.cpu_kernels.in_use", lambda: False)
  assert not onednn_in_use()
