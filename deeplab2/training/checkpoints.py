"""Checkpoints of a training run: strict to load, and the last N are kept.

In a checkpoint, variables of the model are named `model/<path>`, those of an
optimizer `optimizer/<group>/<path>/<slot>`, and the count of steps done is
`global_step`. What a run adds up from session to session is beside them, under
`progress/`; whoever wants the state alone passes over it. Averages of the
model's variables, where a run keeps them, are named `ema/<path>`.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from deeplab2.interop.checkpoint_sources import checkpoint_steps, resolve
from deeplab2.interop.class_rows import CarryOver
from deeplab2.interop.import_plan import Exceptions, matches
from deeplab2.interop.import_weights import import_weights
from deeplab2.interop.key_layouts import EMA, GLOBAL_STEP, MODEL, PROGRESS
from deeplab2.layers.variable_paths import variables_by_path
from deeplab2.training import checkpoint_files, files, optimizers

__all__ = [
  "EMA",
  "GLOBAL_STEP",
  "MODEL",
  "CheckpointFolder",
  "checkpoint_steps",
  "load",
  "load_checkpoint",
  "model_state",
  "resolve",
  "save",
  "training_state",
  "value_of",
]


def model_state(model, prefix: str = MODEL) -> dict[str, Any]:
  """Checkpoint name -> variable, for every variable of the model.

  With the prefix EMA, it is the averages that the model is to get.
  """
  return {prefix + p: v for p, v in variables_by_path(model).items()}


def training_state(model, groups, global_step, average=None) -> dict[str, Any]:
  """Checkpoint name -> variable, for all that a resumed run must find again."""
  state = model_state(model) | {GLOBAL_STEP: global_step}
  for group in groups:
    for name, variable in optimizers.optimizer_state(group).items():
      state[f"optimizer/{group.name}/{name}"] = variable
  if average is not None:
    state |= {EMA + p: v for p, v in average.by_path().items()}
  return state


def save(
  prefix: str,
  state: Mapping[str, Any],
  progress: Mapping[str, np.ndarray] | None = None,
) -> None:
  """Writes the present values of `state`, and `progress`, all or nothing."""
  checkpoint_files.write(prefix, _values(state, progress))


def _values(state, progress) -> dict[str, Any]:
  """What to write: tensors, which on CPUs are the variables' own memory.

  A step that comes meanwhile leaves that memory alone and takes new one.
  """
  values = {name: _read(variable) for name, variable in state.items()}
  return values | {PROGRESS + n: v for n, v in (progress or {}).items()}


def load(
  prefix: str, state: Mapping[str, Any], *, ignore: Iterable[str] = ()
) -> None:
  """Assigns to every variable of `state` what the checkpoint says it was.

  Nothing is assigned unless everything fits.

  Args:
    prefix: of the checkpoint's files.
    state: name in the checkpoint -> variable.
    ignore: patterns of names that the checkpoint may hold besides.

  Raises:
    ValueError: variables are missing, unexpected or of another shape; all are
      listed.
  """
  found = {
    name: shape
    for name, shape in checkpoint_files.shapes(prefix).items()
    if name in state or not matches(name, (*ignore, PROGRESS))
  }
  _check_layout(prefix, {n: tuple(v.shape) for n, v in state.items()}, found)
  values = checkpoint_files.read(prefix, state)
  for name, variable in state.items():
    variable.assign(values[name])


def load_checkpoint(
  model,
  path: str,
  *,
  afresh: Iterable[str] = (),
  allow_missing: Iterable[str] = (),
  allow_unused: Iterable[str] = (),
  carry_over: CarryOver | None = None,
  whole: bool = False,
  weights: str | None = None,
  log: Callable = print,
) -> str:
  """Loads a model's variables from a checkpoint, ours or the original's.

  Everything has to fit, or nothing is assigned. Two things may be left out,
  unless `whole`, and `log` gets a line that says so: the last layers of a model
  of other classes, and all beyond the backbone if the file has only that.

  Args:
    model: a keras.Model whose variables exist.
    path: prefix of a checkpoint; a directory, for its newest one; or the
      .tar.gz of the original's model zoo.
    afresh: patterns of paths of variables that keep the values they have,
      whatever the checkpoint holds.
    allow_missing: patterns of such paths that the checkpoint may lack.
    allow_unused: patterns of names that the checkpoint may hold besides.
    carry_over: classes of both sides, to take over the rows of common ones.
    whole: that every variable has to be there, as for a model to predict with.
    weights: "ema", the averages that a run with `ema_decay` keeps; "raw", the
      weights that it trains; None takes the averages where there are any.
    log: takes each line for people.

  Returns:
    The prefix of what was loaded, or the archive.

  Raises:
    ValueError: there is no checkpoint, it is broken, or it does not fit.
  """
  exceptions = Exceptions(
    afresh=tuple(afresh),
    missing=tuple(allow_missing),
    unused=tuple(allow_unused),
  )
  done = import_weights(
    model,
    path,
    exceptions,
    carry_over=carry_over,
    whole=whole,
    weights=weights,
  )
  for line in done.lines():
    log(line)
  return done.source


def value_of(variable) -> np.ndarray:
  """What a variable holds, of Keras or of TensorFlow, on one device or many."""
  return _read(variable).numpy()


def _read(variable) -> tf.Tensor:
  inner = variable.value if isinstance(variable, keras.Variable) else variable
  return inner.read_value() if isinstance(inner, tf.Variable) else inner


def _check_layout(prefix, wanted, found) -> None:
  """Raises a ValueError that lists all differences, if there are any."""
  missing = sorted(set(wanted) - set(found))
  unexpected = sorted(set(found) - set(wanted))
  misshapen = [
    f"{name}: {list(shape)} in the model, {list(found[name])} in the file"
    for name, shape in sorted(wanted.items())
    if name in found and found[name] != shape
  ]
  if missing or unexpected or misshapen:
    raise ValueError(
      f"checkpoint {prefix}: does not fit the model."
      + _listing("Missing in the file", missing)
      + _listing("Unexpected in the file", unexpected)
      + _listing("Of another shape", misshapen)
    )


def _listing(title: str, names: list[str], limit: int = 50) -> str:
  if not names:
    return ""
  rest = len(names) - limit
  lines = names[:limit] + ([f"... and {rest} more"] if rest > 0 else [])
  return f"\n{title} ({len(names)}):\n  " + "\n  ".join(lines)


class CheckpointFolder:
  """The checkpoints `ckpt-<step>` of a run, of which the last few are kept."""

  def __init__(
    self,
    directory: str,
    state: Mapping[str, Any],
    *,
    keep: int = 5,
    read_only: bool = False,
  ):
    """Args:
    directory: of the run; made when the first checkpoint is saved.
    state: checkpoint name -> variable, as `training_state` gives it.
    keep: how many of the newest checkpoints stay; the others are removed.
    read_only: changes nothing there; another host saves what all have.
    """
    self.directory = str(directory)
    self._state = state
    self._keep = keep
    self._read_only = read_only

  def steps(self) -> list[int]:
    """The steps of which there is a checkpoint, ascending."""
    return checkpoint_steps(self.directory)

  def prefix(self, step: int) -> str:
    """Where the checkpoint of that step is, or would be."""
    return os.path.join(self.directory, f"ckpt-{step}")

  def save(
    self,
    step: int,
    progress: Mapping[str, np.ndarray] | None = None,
    still: Callable[[], bool] = lambda: True,
  ) -> str | None:
    """Saves the state as that of `step`; returns the prefix.

    Does nothing where the folder is read only.

    Args:
      step: number of updates.
      progress: what is saved beside the state.
      still: asked when all values were read, whether they are of that step;
        where not, nothing is saved and None returned.

    Raises:
      files.NotWrittenError: there is no room, or another reason.
    """
    if self._read_only:
      return self.prefix(step)
    tf.io.gfile.makedirs(self.directory)
    values = _values(self._state, progress)
    if not still():
      return None
    try:
      checkpoint_files.write(self.prefix(step), values)
    except files.NotWrittenError as error:
      raise files.NotWrittenError(f"{error} {self._way_on(step)}") from error
    # A later one is broken, or the run would have gone on from there: it must
    # not push out those that are whole.
    saved = [number for number in self.steps() if number <= step]
    for old in saved[: -self._keep]:
      checkpoint_files.remove(self.prefix(old))
    self._announce(saved[-self._keep :])
    return self.prefix(step)

  def progress(self, step: int) -> dict[str, np.ndarray]:
    """What was saved beside the state; empty in older checkpoints."""
    prefix = self.prefix(step)
    names = [
      n for n in checkpoint_files.shapes(prefix) if n.startswith(PROGRESS)
    ]
    found = checkpoint_files.read(prefix, names)
    return {n.removeprefix(PROGRESS): array for n, array in found.items()}

  def restore_newest(self, log=print) -> int | None:
    """Loads the newest checkpoint that can be read; returns its step, or None.

    One that is cut short or garbled is passed over, and `log` gets a line that
    says so. One that does not fit the model stops the run. What an interrupted
    writing left is removed.

    Raises:
      ValueError: there are some and none can be read, or one does not fit. A
        run that began anew would overwrite what might be mended.
    """
    if not self._read_only:
      checkpoint_files.remove_unfinished(self.directory)
    for step in reversed(self.steps()):
      try:
        load(self.prefix(step), self._state)
        return step
      except checkpoint_files.BrokenCheckpointError as error:
        log(f"Passed over {error}")
    broken = ", ".join(f"ckpt-{step}" for step in self.steps())
    if broken:
      raise ValueError(
        "model_dir: expected a checkpoint that can be read, or none at all; got"
        f" {broken} in {self.directory}, all of them broken. Put a whole one"
        " there or, to start anew, take these away."
      )
    return None

  def _way_on(self, failed: int) -> str:
    """For a user whose checkpoint could not be written."""
    older = [step for step in self.steps() if step < failed]
    if not older:
      return "There is no checkpoint yet: the run would start anew."
    return (
      "Once that is mended, the same command goes on from"
      f" {self.prefix(older[-1])}."
    )

  def _announce(self, steps: list[int]) -> None:
    """Writes the list that `tf.train.latest_checkpoint` and others read."""
    names = [f'"ckpt-{step}"' for step in steps]
    lines = [f"model_checkpoint_path: {names[-1]}"]
    lines += [f"all_model_checkpoint_paths: {name}" for name in names]
    path = os.path.join(self.directory, "checkpoint")
    files.write_whole(path, "\n".join(lines) + "\n")
