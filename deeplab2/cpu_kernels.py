"""TensorFlow's CPU kernels: which of two sets it takes, and whether they run.

The choice is made before it starts. By itself it uses oneDNN's where a CPU
multiplies bytes or bfloat16 in hardware, else Eigen's. With AVX2 alone,
oneDNN's are the faster ones here as well: they add bias and ReLU while a
product is still in registers.
"""

import os
import platform
import sys

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
_INTEL_OR_AMD = {"x86_64", "AMD64"}

_found = os.environ.get(VARIABLE)


def prefer_onednn(machine: str = platform.machine()) -> None:
  """Has a TensorFlow that is imported later use oneDNN on x86.

  Whoever has set the variable, or started TensorFlow, has decided already.
  """
  if machine in _INTEL_OR_AMD and "tensorflow" not in sys.modules:
    os.environ.setdefault(VARIABLE, "1")


def environment_as_found() -> dict[str, str]:
  """The environment for other programs, without what is chosen for ours."""
  environment = dict(os.environ)
  if _found is None:
    environment.pop(VARIABLE, None)
  return environment


def in_use() -> bool:
  """Whether TensorFlow computes, with nothing but CPUs."""
  import keras

  if keras.backend.backend() != "tensorflow":
    return False
  import tensorflow as tf

  return all(d.device_type == "CPU" for d in tf.config.list_logical_devices())


def onednn_in_use() -> bool:
  """Whether the CPU kernels are in use, and are oneDNN's."""
  if not in_use():
    return False
  # No public function tells. The variable does not, where nobody set it.
  from tensorflow.python.util import _pywrap_util_port

  return _pywrap_util_port.IsMklEnabled()
