"""Where a program writes a checkpoint that it was told to write."""

import os

import tensorflow as tf

_LIST = "checkpoint"


def target_prefix(path: str, step: int) -> str:
  """The prefix to write at: `path`, or `ckpt-<step>` in it if it is a folder.

  A path is a folder if it is there as one or ends in a slash.

  Raises:
    ValueError: there is such a checkpoint already.
  """
  path = str(path)
  if path.endswith("/") or tf.io.gfile.isdir(path):
    path = os.path.join(path, f"ckpt-{step}")
  if tf.io.gfile.exists(f"{path}.index"):
    raise ValueError(
      "output_path: expected a new checkpoint, such as imported/ckpt-0; got "
      f"{path}, which is there already."
    )
  return path


def list_beside(prefix: str) -> str:
  """Path of the list of checkpoints that is in the same folder."""
  return os.path.join(os.path.dirname(prefix), _LIST)


def announce(prefix: str) -> None:
  """Lists a checkpoint for `tf.train.latest_checkpoint`, in a folder of none.

  A list that is there stays what it is.
  """
  path = list_beside(prefix)
  if not tf.io.gfile.exists(path):
    with tf.io.gfile.GFile(f"{path}.unfinished", "w") as file:
      file.write(f'model_checkpoint_path: "{os.path.basename(prefix)}"\n')
    tf.io.gfile.rename(f"{path}.unfinished", path, overwrite=True)
