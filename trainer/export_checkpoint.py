r"""Writes our weights as google-research/deeplab2 writes its own.

  python trainer/export_checkpoint.py --checkpoint_path=runs/demo \
    --output_path=exported/ckpt-2000

The original's programs read the result: as `initial_checkpoint`, or with
`tf.train.Checkpoint(**model.checkpoint_items).restore(...)`.
"""

import os
import sys

from absl import flags, logging

from deeplab2 import program
from deeplab2.config import program_flags
from deeplab2.config.dataset_rules import is_checkpoint

FLAGS = flags.FLAGS

flags.DEFINE_string(
  "checkpoint_path",
  None,
  "Folder of a training run, for its newest checkpoint, or prefix of one.",
  required=True,
)
flags.DEFINE_string(
  "output_path",
  None,
  "Prefix of the checkpoint to write, such as exported/ckpt-2000. A folder, "
  "one that is there or ends in a slash, gets ckpt-<step>.",
  required=True,
)
flags.DEFINE_string(
  "config_file",
  None,
  "The config of the checkpoint. Default: experiment.textproto beside it.",
)
program_flags.define_weights_flag()
flags.DEFINE_multi_string(
  "set",
  [],
  "path.to.field=value changes a field of the config. May be given many times.",
)


def main(args):
  if len(args) > 1:
    sys.exit(f"Expected flags only; got {args[1:]}.")
  if not is_checkpoint(FLAGS.checkpoint_path):
    sys.exit(
      "checkpoint_path: expected the prefix of a checkpoint, such as "
      "runs/demo/ckpt-1000, a folder of some, or a .tar.gz; got "
      f"{FLAGS.checkpoint_path}, where there is none."
    )
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  logging.set_verbosity(logging.WARNING)
  # TensorFlow takes seconds to import: after the flags are known to be right.
  from deeplab2.inference.trained_model import load_trained_model
  from deeplab2.interop.checkpoint_sources import located
  from deeplab2.interop.checkpoint_targets import list_beside
  from deeplab2.interop.original_checkpoints import (
    export_original_checkpoint,
    export_target,
  )
  from deeplab2.training import checkpoint_files, files

  try:
    source = located(FLAGS.checkpoint_path)
    prefix = export_target(source, FLAGS.output_path)
    trained = load_trained_model(
      source, FLAGS.config_file, FLAGS.set, FLAGS.weights
    )
    made = [*checkpoint_files.paths_of(prefix), list_beside(prefix)]
    with files.writing(prefix), files.all_or_none(made):
      export_original_checkpoint(trained.architecture.model, source, prefix)
  except (ValueError, OSError, files.NotWrittenError) as error:
    sys.exit(f"{error}")
  print(f"Wrote {prefix}")


if __name__ == "__main__":
  program.run(main)
