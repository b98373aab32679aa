"""Trains and evaluates the model that a config describes.

  python trainer/train.py --config_file=max_deeplab_s.textproto --mode=train \
    --set TRAIN_SET='/data/coco/train*.tfrecord' --set INIT_CHECKPOINT=

Checkpoints, curves for TensorBoard and metrics.json go to --model_dir. Started
again with the same flags, a run goes on where it was. On several hosts, each is
started with the same command and a TF_CONFIG of its own, see
g3doc/distributed.md.
"""

import functools
import os
import pathlib
import signal
import sys
import traceback

from absl import flags, logging

import deeplab2
from deeplab2 import program
from deeplab2.config import program_flags
from deeplab2.config.scaling import scaling_warnings
from deeplab2.training import cluster

# Seconds to wait for the other hosts at the start, where nothing else is said.
_PATIENCE = 600

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
flags.DEFINE_integer(
  "num_virtual_devices",
  None,
  "Splits the CPU in so many devices, to try what several would do.",
  lower_bound=1,
)
flags.DEFINE_string(
  "master", None, "Name or address of a TPU; local for one in this machine."
)
flags.DEFINE_integer(
  "wait_for_hosts",
  600,
  "With TF_CONFIG: seconds to wait for the other hosts, at the start and after "
  "one of them was lost. 0: end when one is lost.",
  lower_bound=0,
)


def main(args):
  if len(args) > 1:
    sys.exit(f"Expected flags only; got {args[1:]}.")
  splits = [split for split in ("train", "eval") if split in FLAGS.mode]
  experiment = program_flags.experiment_from_flags(search_files=splits)
  try:
    hosts = cluster.read_cluster(os.environ.get("TF_CONFIG"))
  except ValueError as error:
    sys.exit(f"{error}")
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  logging.set_verbosity(logging.WARNING)
  # TensorFlow takes seconds to import: after the flags are known to be right.
  from deeplab2.training import (
    files,
    multi_host,
    nonfinite,
    rendezvous,
    run,
    strategies,
    training_loop,
  )
  from deeplab2.training.model_dir import default_model_dir

  model_dir = FLAGS.model_dir or default_model_dir(experiment)
  say = _say if hosts is None else functools.partial(_say_of_host, hosts)
  say(f"Mode {FLAGS.mode}, in {model_dir}")
  for line in scaling_warnings(program_flags.recipe_from_flags(), experiment):
    say(line)
  try:
    with multi_host.readable_loss(hosts):
      strategy = strategies.build_strategy(
        FLAGS.num_gpus,
        FLAGS.master,
        FLAGS.num_virtual_devices,
        cluster=hosts,
        patience=FLAGS.wait_for_hosts or _PATIENCE,
      )
      run.run_experiment(experiment, FLAGS.mode, model_dir, strategy, log=say)
  except rendezvous.HostsMissingError as error:
    say(error)
    sys.exit(multi_host.HOST_LOST)
  except multi_host.HostLostError as error:
    say(error)
    if FLAGS.wait_for_hosts:
      say("Starting again, to go on when it is back.")
      multi_host.start_again()
    sys.exit(multi_host.HOST_LOST)
  except nonfinite.NonFiniteError as error:
    sys.exit(f"{error}")
  except ValueError as error:
    if not _is_ours(error):
      raise
    sys.exit(f"{error}")
  except files.NotWrittenError as error:
    sys.exit(f"{error}")
  except training_loop.RunInterruptedError as interrupted:
    say(interrupted)
    sys.exit(128 + (interrupted.signal or signal.SIGTERM))


def _is_ours(error) -> bool:
  """Whether this library raised it, to people; else a traceback helps more."""
  raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
  library = pathlib.Path(deeplab2.__file__).parent
  return library in pathlib.Path(raised_in).parents


def _say(line):
  print(line, flush=True)


def _say_of_host(hosts, line):
  _say(f"[{hosts.index}] {line}")


if __name__ == "__main__":
  # While it trains it listens for signals by itself, and saves.
  program.run(
    main, "the same command starts again, or goes on", handle_sigterm=False
  )
