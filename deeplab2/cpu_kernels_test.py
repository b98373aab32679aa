import os
import subprocess
import sys

import pytest

from deeplab2.cpu_kernels import VARIABLE, prefer_onednn


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
  if found is None:
    monkeypatch.delenv(VARIABLE, raising=False)
  else:
    monkeypatch.setenv(VARIABLE, found)
  prefer_onednn(machine)
  assert os.environ.get(VARIABLE) == expected


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
