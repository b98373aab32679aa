"""Weights of a checkpoint, ours or the original library's, into a model."""

import collections
import dataclasses
from typing import Any

import numpy as np

from deeplab2.interop.checkpoint_contents import CheckpointContents
from deeplab2.interop.checkpoint_sources import is_archive, open_checkpoint
from deeplab2.interop.class_rows import CarryOver
from deeplab2.interop.import_plan import (
  Exceptions,
  ImportPlan,
  ModelLayout,
  plan_import,
)
from deeplab2.interop.import_report import (
  advice,
  afresh_lines,
  listings,
  table,
)
from deeplab2.interop.key_layouts import (
  EMA,
  GLOBAL_STEP,
  OUR_AVERAGES,
  OURS,
)
from deeplab2.interop.original_keys import SUFFIX
from deeplab2.layers.variable_paths import variables_by_path

_FLOATS = ("float32", "float64", "float16", "bfloat16")
_STEPS = (GLOBAL_STEP, GLOBAL_STEP + SUFFIX)


class UnexplainedError(ValueError):
  """A checkpoint does not fit; `plan` says how."""

  def __init__(self, source: str, plan: ImportPlan, what_to_do: str = ""):
    said = f"checkpoint {source}: does not fit the model."
    super().__init__(said + listings(plan) + what_to_do)
    self.plan = plan


@dataclasses.dataclass(frozen=True)
class Imported:
  """What an import did.

  Attributes:
    source: the files it was read from, or the archive.
    plan: what became of each variable and each array.
    step: the training step that the file says it is of, or None.
    carried: axis of classes -> number of rows that were carried over.
    cast: type of entries in the file, if not float32 -> number of arrays.
    not_finite: paths of variables that now hold an infinity or no number.
  """

  source: str
  plan: ImportPlan
  step: int | None
  carried: dict[str, int]
  cast: dict[str, int]
  not_finite: tuple[str, ...]

  def lines(self) -> list[str]:
    """What is worth a printed line: all that did not simply fit."""
    lines = afresh_lines(self.plan)
    if self.plan.layout is OUR_AVERAGES:
      lines.append("Averaged weights (EMA); 'raw' has the others.")
    if self.carried:
      counts = [f"{n} of {axis}" for axis, n in self.carried.items()]
      lines.append(f"Rows carried over by name: {', '.join(counts)}.")
    for dtype, count in self.cast.items():
      lines.append(f"Cast to float32: {count} arrays of {dtype}.")
    if self.plan.allowed:
      lines.append(f"Left in the file: {', '.join(self.plan.allowed)}.")
    if self.not_finite:
      lines.append(
        f"warning: not finite in the file: {len(self.not_finite)} variables,"
        f" the first of them {self.not_finite[0]}."
      )
    return lines

  def table(self) -> str:
    return table(self.plan)


def import_weights(
  model,
  path: str,
  exceptions: Exceptions | None = None,
  *,
  carry_over: CarryOver | None = None,
  whole: bool = False,
  weights: str | None = None,
  source: str | None = None,
) -> Imported:
  """Assigns to each variable its array of a checkpoint, or nothing at all.

  Unless `whole`, two kinds of variables may start afresh: last layers of
  another number of classes, which the model declares in `class_layers()`, and
  all beyond the encoder's backbone where the file has nothing but that, as
  ImageNet checkpoints do.

  Args:
    model: a keras.Model whose variables exist.
    path: prefix of a checkpoint, a folder, for its newest one, or a .tar.gz.
    exceptions: to the rule that all must fit.
    carry_over: the classes of either side, to carry rows from one to the other.
    whole: that every variable has to be in the file.
    weights: "ema", the averages that a run with `ema_decay` keeps; "raw", the
      weights that it trains; None takes the averages where there are any.
    source: what people know the checkpoint as; the files, or the archive,
      unless given.

  Raises:
    UnexplainedError: something does not fit; all of it is listed.
    ValueError: there is no checkpoint, or it is broken.
  """
  with open_checkpoint(path) as prefix:
    contents = CheckpointContents(prefix)
    layout = _whole_layout(model) if whole else model_layout(model)
    plan = plan_import(
      layout,
      _of_these_weights(contents.shapes, weights, prefix),
      exceptions,
      carry_over=carry_over is not None,
    )
    if source is None:
      source = str(path) if is_archive(path) else prefix
    if plan.unexplained:
      raise UnexplainedError(source, plan, "" if whole else advice(plan))
    wanted = list(plan.assigned.values())
    if carry_over is not None:
      wanted += [rows.name for rows in plan.by_class.values()]
    cast = _types_to_cast(source, contents, wanted)
    if plan.layout not in (OURS, OUR_AVERAGES):
      # A file that came over the net, cut short in what nobody wants of it. Of
      # ours, which are written whole, that would be most of the reading.
      contents.check(set(contents.shapes) - set(wanted))
    carried, not_finite = _assign(model, contents, plan, carry_over)
    return Imported(source, plan, step_of(contents), carried, cast, not_finite)


def _of_these_weights(shapes, weights: str | None, prefix: str):
  """What is in the file, without the averages where those are not wanted."""
  raw = {n: shape for n, shape in shapes.items() if not n.startswith(EMA)}
  if weights not in (None, "ema", "raw"):
    raise ValueError(f"weights: expected 'ema' or 'raw'; got {weights!r}.")
  if weights == "ema" and len(raw) == len(shapes):
    raise ValueError(
      "weights: expected 'raw', or a checkpoint of a run with"
      f" trainer_options.ema_decay; got 'ema', and {prefix} has no averages."
    )
  return raw if weights == "raw" else shapes


def model_layout(model) -> ModelLayout:
  """What a plan has to know of a model, with the roles that it declares."""
  variables = variables_by_path(model)
  paths = {id(variable): path for path, variable in variables.items()}
  groups = getattr(model, "parameter_groups", dict)()
  return ModelLayout(
    shapes=_shapes(variables),
    backbone=_with_statistics(
      variables, {paths[id(v)] for v in groups.get("backbone", ())}
    ),
    class_paths=frozenset(class_axes(model)),
  )


def class_axes(model) -> dict[str, str]:
  """Path of each class-dependent variable -> what its last axis counts."""
  paths = {id(v): path for path, v in variables_by_path(model).items()}
  layers = getattr(model, "class_layers", dict)()
  return {
    paths[id(variable)]: axis
    for axis, members in layers.items()
    for layer in members
    for variable in layer.variables
  }


def _whole_layout(model) -> ModelLayout:
  return ModelLayout(shapes=_shapes(variables_by_path(model)))


def _shapes(variables) -> dict[str, tuple[int, ...]]:
  return {path: tuple(v.shape) for path, v in variables.items()}


def _with_statistics(variables, trainable: set[str]) -> frozenset[str]:
  """Trainable variables, and moving averages of the layers they are of."""
  layers = {path.rpartition("/")[0] for path in trainable}
  return frozenset(p for p in variables if p.rpartition("/")[0] in layers)


def _types_to_cast(source: str, contents, names) -> dict[str, int]:
  """Type -> number of the arrays that are of it, if it is not float32.

  Raises:
    ValueError: one is of something else than real numbers.
  """
  counts = collections.Counter()
  for name in names:
    dtype = contents.dtypes[name]
    if dtype not in _FLOATS:
      raise ValueError(
        f"checkpoint {source}: expected weights of one of {list(_FLOATS)}; got "
        f"{dtype} at {name}."
      )
    counts[dtype] += dtype != "float32"
  return dict(+counts)


def _assign(
  model, contents, plan: ImportPlan, carry_over
) -> tuple[dict[str, int], tuple[str, ...]]:
  """Reads all, then assigns all.

  Returns:
    The rows carried over by axis, and the paths of what is not finite.
  """
  variables, axes = variables_by_path(model), class_axes(model)
  values: dict[str, Any] = {}
  carried: dict[str, int] = {}
  if carry_over is not None:
    for path, rows in plan.by_class.items():
      axis = axes[path]
      carry_over.check(axis, path, rows.found)
      source = contents.read([rows.name])[rows.name]
      before = np.asarray(variables[path])
      values[path] = carry_over.merged(axis, source, before)
      carried[axis] = len(carry_over.common(axis))
  arrays = contents.read(plan.assigned.values())
  values |= {path: arrays[name] for path, name in plan.assigned.items()}
  for path, value in values.items():
    variables[path].assign(value)
  not_finite = [
    path for path in values if not np.isfinite(variables[path]).all()
  ]
  return carried, tuple(sorted(not_finite))


def step_of(contents: CheckpointContents) -> int | None:
  """The training step that a checkpoint says it is of, if it does."""
  for name in _STEPS:
    if name in contents.shapes:
      return int(contents.read([name])[name])
  return None
