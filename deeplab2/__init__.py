"""Panoptic segmentation with mask transformers, on TensorFlow and Keras 3.

The names below are imported when they are first used: TensorFlow takes seconds
to import, and much can be done without it.
"""

import importlib

from deeplab2.cpu_kernels import prefer_onednn

prefer_onednn()

__version__ = "0.1.0"

_HOMES = {
  "Predictor": "deeplab2.inference.predictor",
  "build_model": "deeplab2.models",
  "load_checkpoint": "deeplab2.training.checkpoints",
  "load_experiment": "deeplab2.config",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
  if name not in _HOMES:
    raise AttributeError(f"module 'deeplab2' has no attribute '{name}'.")
  value = getattr(importlib.import_module(_HOMES[name]), name)
  globals()[name] = value
  return value


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
