"""From the name of a config to an experiment that is ready to run."""

import os
import pathlib
from collections.abc import Iterable, Mapping

from deeplab2.config.checks import complete_and_check
from deeplab2.config.config_files import find_config
from deeplab2.config.config_pb2 import ExperimentOptions, ModelOptions
from deeplab2.config.overrides import apply_override, split_assignment
from deeplab2.config.placeholders import (
  clear_unfilled,
  fill_placeholders,
  placeholder_names,
)
from deeplab2.config.textproto import parse_textproto

SPLITS = ("train", "eval")


def load_experiment(
  name_or_path,
  overrides: Iterable[str] = (),
  variables: Mapping[str, str] | None = None,
  search_files: bool | Iterable[str] = True,
) -> ExperimentOptions:
  """Reads a config, fills it in and checks it against its data sets.

  Args:
    name_or_path: a file, or a name below configs/ such as "max_deeplab_s".
    overrides: "path.to.field=value" for a field, or "NAME=value" for the
      `${NAME}` of the config; in the order given, the last one wins.
    variables: more values for `${NAME}`. They give way to `overrides` and go
      before the environment. `${EXPERIMENT_NAME}` has the file's name unless
      given.
    search_files: the splits, out of "train" and "eval", whose records (and for
      "train" the initial checkpoint) have to be there. True is both, False is
      none. File names that are not asked for may stay unfilled and are cleared.

  Returns:
    A message without placeholders in which every set option has an effect.

  Raises:
    ValueError: something is wrong; the error lists all of it, a line each:
      `field: rule, with an example or the choices; got value.`
  """
  path = find_config(name_or_path)
  experiment = parse_experiment(path)
  given = dict(variables or {}) | _apply_overrides(experiment, overrides)
  values = _placeholder_values(experiment, path, given)
  splits = _splits(search_files)
  clear_unfilled(experiment, _unread_fields(splits), values)
  _raise_if_any(path, fill_placeholders(experiment, values))
  _raise_if_any(path, complete_and_check(experiment, splits))
  return experiment


def parse_experiment(path) -> ExperimentOptions:
  """Reads a file as it is: no placeholder is filled, nothing is checked.

  A file of bare `ModelOptions` becomes an experiment of nothing else.
  """
  message = parse_textproto(path)
  if isinstance(message, ModelOptions):
    return ExperimentOptions(model_options=message)
  if not isinstance(message, ExperimentOptions):
    raise ValueError(
      f"{path}: expected an ExperimentOptions or a ModelOptions; got "
      f"{message.DESCRIPTOR.name}."
    )
  return message


def _apply_overrides(
  experiment: ExperimentOptions, overrides: Iterable[str]
) -> dict[str, str]:
  """Sets fields in place; returns the values given to placeholders."""
  names, given = placeholder_names(experiment), {}
  for assignment in overrides:
    key, value = split_assignment(assignment)
    if "." in key or key in ExperimentOptions.DESCRIPTOR.fields_by_name:
      apply_override(experiment, key, value)
    else:
      given[key] = value
  names |= placeholder_names(experiment)
  for name in sorted(set(given) - names):
    raise ValueError(
      f"{name}: expected a field, such as trainer_options.seed, or one of this "
      f"config's placeholders ({', '.join(sorted(names))}); got "
      f"'{name}={given[name]}'."
    )
  return given


def _placeholder_values(
  experiment: ExperimentOptions, path: pathlib.Path, given: dict[str, str]
) -> dict[str, str]:
  """A value for each placeholder that has one."""
  known = {"EXPERIMENT_NAME": path.stem, **os.environ, **given}
  return {
    name: known[name] for name in placeholder_names(experiment) & set(known)
  }


def _splits(search_files: bool | Iterable[str]) -> tuple[str, ...]:
  if isinstance(search_files, bool):
    return SPLITS if search_files else ()
  chosen = tuple(search_files)
  if not set(chosen) <= set(SPLITS):
    raise ValueError(f"search_files: expected some of {SPLITS}; got {chosen}.")
  return chosen


def _unread_fields(splits: tuple[str, ...]) -> set[str]:
  """File names that a run on these splits does not open."""
  unread = {
    f"{split}_dataset_options.file_pattern"
    for split in SPLITS
    if split not in splits
  }
  if "train" not in splits:
    unread.add("model_options.initial_checkpoint")
  return unread


def _raise_if_any(path: pathlib.Path, problems: list[str]):
  if len(problems) == 1:
    raise ValueError(problems[0])
  if problems:
    lines = "".join(f"\n  {problem}" for problem in problems)
    raise ValueError(f"{path}: {len(problems)} problems.{lines}")
