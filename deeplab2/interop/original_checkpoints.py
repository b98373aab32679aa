"""Writes a model's weights as google-research/deeplab2 writes them.

Its checkpoints are graphs of objects: beside the arrays, under the keys of
`original_keys`, a file holds which object has which, by the names of their
attributes. The tree that is built here has those names, so that
`tf.train.Checkpoint(**model.checkpoint_items).restore(prefix)` finds its way.
"""

import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from deeplab2.interop.checkpoint_contents import CheckpointContents
from deeplab2.interop.checkpoint_sources import open_checkpoint
from deeplab2.interop.checkpoint_targets import announce, target_prefix
from deeplab2.interop.import_weights import step_of
from deeplab2.interop.original_keys import original_key
from deeplab2.layers.variable_paths import variables_by_path


def export_original_checkpoint(model, source: str, output_path: str) -> str:
  """Writes a loaded model in the original's format; returns the prefix.

  Args:
    model: a keras.Model with the weights of `source`.
    source: the checkpoint it was loaded from, whose training step is kept.
    output_path: prefix to write at, or a folder.
  """
  step = _step_of(source)
  prefix = target_prefix(output_path, step)
  write_original_checkpoint(model, prefix, step=step)
  announce(prefix)
  return prefix


def export_target(source: str, output_path: str) -> str:
  """The prefix that `export_original_checkpoint` will write at.

  Raises:
    ValueError: there is a checkpoint already, or `source` is broken.
  """
  return target_prefix(output_path, _step_of(source))


def _step_of(source: str) -> int:
  with open_checkpoint(source) as prefix:
    return step_of(CheckpointContents(prefix)) or 0


def write_original_checkpoint(
  model, prefix: str, *, step: int | None = None
) -> None:
  """Writes every variable of a model, bit by bit, in the original's format.

  Args:
    model: a keras.Model whose variables exist.
    prefix: of the files, such as exported/ckpt-100000.
    step: training step, for the original's `global_step`.
  """
  arrays = {
    original_key(path): np.asarray(variable)
    for path, variable in variables_by_path(model).items()
  }
  if step is not None:
    arrays["global_step"] = np.int64(step)
  # What tf.train.Checkpoint.save counts, and restore asks for.
  arrays["save_counter"] = np.int64(1)
  root = _tree(arrays)
  os.makedirs(os.path.dirname(os.path.abspath(prefix)), exist_ok=True)
  try:
    with tf.device("CPU:0"):
      tf.train.Checkpoint(root=root).write(str(prefix))
  finally:
    # What TensorFlow leaves where there was no room, or an earlier run killed.
    if tf.io.gfile.isdir(f"{prefix}_temp"):
      tf.io.gfile.rmtree(f"{prefix}_temp")


def _tree(arrays: Mapping[str, np.ndarray]) -> tf.Module:
  """Objects whose attributes, step by step, spell the keys."""
  root = tf.Module()
  for key, array in arrays.items():
    *attributes, leaf = key.split("/")
    node = root
    for name in attributes:
      if not hasattr(node, name):
        setattr(node, name, tf.Module())
      node = getattr(node, name)
    setattr(node, leaf, tf.Variable(array))
  return root
