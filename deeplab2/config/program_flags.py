"""The flags by which every program takes its config."""

import sys
from collections.abc import Iterable

from absl import flags

from deeplab2.config.config_files import find_config
from deeplab2.config.config_pb2 import ExperimentOptions
from deeplab2.config.experiment import load_experiment, parse_experiment

_FLAGS = flags.FLAGS


def define_experiment_flags(required: bool = True):
  """Defines --config_file and --set; call it where a program has its flags."""
  flags.DEFINE_string(
    "config_file",
    None,
    "A textproto file, or a name below configs/ such as max_deeplab_s.",
    required=required,
  )
  flags.DEFINE_multi_string(
    "set",
    [],
    "path.to.field=value changes a field of the config, NAME=value fills its "
    "${NAME}. May be given many times.",
  )


def define_weights_flag():
  """Defines --weights, for programs that use a checkpoint of a run."""
  flags.DEFINE_enum(
    "weights",
    None,
    ["ema", "raw"],
    "Of a run with trainer_options.ema_decay: the averages of the weights, or "
    "the weights. Default: the averages where there are any.",
  )


def experiment_from_flags(
  search_files: bool | Iterable[str] = True,
) -> ExperimentOptions:
  """`load_experiment` on the flags; ends the program where it raises.

  Args:
    search_files: as in `load_experiment`: the splits the program will read.
  """
  try:
    return load_experiment(
      _FLAGS.config_file, overrides=_FLAGS.set, search_files=search_files
    )
  except ValueError as error:
    sys.exit(f"error: {error}")


def recipe_from_flags() -> ExperimentOptions:
  """The config as its file has it, before --set."""
  return parse_experiment(find_config(_FLAGS.config_file))
