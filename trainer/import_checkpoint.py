r"""Makes a checkpoint of google-research/deeplab2 one of ours.

  python trainer/import_checkpoint.py --config_file=max_deeplab_s \
    --checkpoint_path=max_deeplab_s_os16_res641_400k.tar.gz \
    --output_path=runs/max_deeplab_s/

Prints what becomes of every variable and of every array in the file, and stops
over anything that it cannot explain. The folder can be evaluated, predicted and
exported with like one of a training run.
"""

import os
import sys

from absl import flags, logging

from deeplab2 import program
from deeplab2.config import program_flags
from deeplab2.config.dataset_rules import is_checkpoint

FLAGS = flags.FLAGS

program_flags.define_experiment_flags()
flags.DEFINE_string(
  "checkpoint_path",
  None,
  "A TF2 checkpoint: its prefix, a folder, for its newest one, or a .tar.gz as "
  "it was downloaded.",
  required=True,
)
flags.DEFINE_string(
  "output_path",
  None,
  "Prefix of the checkpoint to write, such as runs/imported/ckpt-0. A folder, "
  "one that is there or ends in a slash, gets ckpt-<step>.",
  required=True,
)
flags.DEFINE_multi_string(
  "allow_missing",
  [],
  "Regular expression for the beginnings of names, such as semantic_decoder/, "
  "that the file may lack. May be given many times.",
)
flags.DEFINE_multi_string(
  "allow_unused",
  [],
  "Regular expression for the beginnings of names, such as classifier/, that "
  "may be left in the file. May be given many times.",
)


def main(args):
  if len(args) > 1:
    sys.exit(f"Expected flags only; got {args[1:]}.")
  experiment = program_flags.experiment_from_flags(search_files=False)
  if not is_checkpoint(FLAGS.checkpoint_path):
    sys.exit(
      "checkpoint_path: expected the prefix of a checkpoint, such as "
      "runs/demo/ckpt-1000, a folder of some, or a .tar.gz; got "
      f"{FLAGS.checkpoint_path}, where there is none."
    )
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  logging.set_verbosity(logging.WARNING)
  # TensorFlow takes seconds to import: after the flags are known to be right.
  from deeplab2.training.files import NotWrittenError
  from deeplab2.training.imported_checkpoint import import_checkpoint

  try:
    prefix = import_checkpoint(
      experiment,
      FLAGS.checkpoint_path,
      FLAGS.output_path,
      allow_missing=FLAGS.allow_missing,
      allow_unused=FLAGS.allow_unused,
    )
  except (ValueError, OSError, NotWrittenError) as error:
    sys.exit(f"{error}")
  print(f"Wrote {prefix}")


if __name__ == "__main__":
  program.run(main)
