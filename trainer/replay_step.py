"""Takes a step again that was not finite, and shows it layer by layer.

  python trainer/replay_step.py --step_dir=runs/my_run/nonfinite-step-123

A run that meets a loss or gradient which is not finite leaves such a folder:
batch, weights before the step, config. Prints the terms of the loss, then of
each layer the largest value and the largest gradient of its output, and whether
they are finite; then the same of each variable; last, where it begins.
"""

import os
import sys

from absl import flags, logging

from deeplab2 import program

FLAGS = flags.FLAGS

flags.DEFINE_string(
  "step_dir", None, "A folder nonfinite-step-<step> of a run.", required=True
)


def main(args):
  if len(args) > 1:
    sys.exit(f"Expected flags only; got {args[1:]}.")
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  logging.set_verbosity(logging.WARNING)
  # TensorFlow takes seconds to import: after the flags are known to be right.
  from deeplab2.inference.saved_step import load_saved_step
  from deeplab2.training import replay

  try:
    saved = load_saved_step(FLAGS.step_dir)
  except ValueError as error:
    sys.exit(f"{error}")
  found = replay.replay_step(
    saved.architecture,
    saved.batch,
    saved.step,
    seed=saved.seed,
    micro_batches=saved.micro_batches,
  )
  print(f"step {saved.step}, images {', '.join(saved.names)}")
  print(replay.table(found))
  print()
  print("\n".join(found.findings()))


if __name__ == "__main__":
  program.run(main)
