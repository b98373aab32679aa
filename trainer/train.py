"""Trains and evaluates the model that a config describes.

  python trainer/train.py --config_file=max_deeplab_s.textproto --mode=train \
    --set TRAIN_SET='/data/coco/train*.tfrecord' --set INIT_CHECKPOINT=

Checkpoints, curves for TensorBoard and metrics.json go to --model_dir. Started
again with the same flags, a run goes on where it was.
"""

import os
import pathlib
import signal
import sys
import traceback

from absl import app, flags, logging

import deeplab2
from deeplab2.config import program_flags

MODES = ("train", "eval", "train_and_eval", "continuous_eval")

FLAGS = flags.FLAGS

program_flags.define_experiment_flags()
flags.DEFINE_enum(
  "mode",
  "train_and_eval",
  MODES,
  "train, eval (the newest checkpoint), train_and_eval, or continuous_eval "
  "(each checkpoint that another process saves).",
)
flags.DEFINE_string(
  "model_dir",
  None,
  "Directory of the run. Default: runs/<experiment_name>.",
)
flags.DEFINE_integer(
  "num_gpus",
  None,
  "GPUs to use; 0 is the CPU. Default: one GPU if there is one.",
  lower_bound=0,
)
flags.DEFINE_string(
  "master", None, "Name or address of a TPU; local for one in this machine."
)


def main(args):
  if len(args) > 1:
    sys.exit(f"Expected flags only; got {args[1:]}.")
  splits = [split for split in ("train", "eval") if split in FLAGS.mode]
  experiment = program_flags.experiment_from_flags(search_files=splits)
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  logging.set_verbosity(logging.WARNING)
  # TensorFlow takes seconds to import: after the flags are known to be right.
  from deeplab2.training import files, nonfinite, run, strategies, training_loop
  from deeplab2.training.model_dir import default_model_dir

  model_dir = FLAGS.model_dir or default_model_dir(experiment)
  print(f"Mode {FLAGS.mode}, in {model_dir}", flush=True)
  try:
    strategy = strategies.build_strategy(FLAGS.num_gpus, FLAGS.master)
    run.run_experiment(experiment, FLAGS.mode, model_dir, strategy, log=_say)
  except nonfinite.NonFiniteError as error:
    sys.exit(f"{error}")
  except ValueError as error:
    if not _is_ours(error):
      raise
    sys.exit(f"{error}")
  except files.NotWrittenError as error:
    sys.exit(f"{error}")
  except training_loop.RunInterruptedError as interrupted:
    _say(interrupted)
    sys.exit(128 + (interrupted.signal or signal.SIGTERM))
  except KeyboardInterrupt:
    sys.exit(128 + signal.SIGINT)


def _is_ours(error) -> bool:
  """Whether this library raised it, to people; else a traceback helps more."""
  raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
  library = pathlib.Path(deeplab2.__file__).parent
  return library in pathlib.Path(raised_in).parents


def _say(line):
  print(line, flush=True)


if __name__ == "__main__":
  app.run(main)
