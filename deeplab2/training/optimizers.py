"""Optimizers over disjoint groups of a model's variables."""

import dataclasses
from typing import Any

from deeplab2.layers.variable_paths import variables_by_path
from deeplab2.training import schedules
from deeplab2.training.summed_gradients import SGD, Adam, AdamW


def adam(solver, schedule, name):
  """Adam with the customary moments (0.9, 0.999) and epsilon 1e-7."""
  del solver
  return Adam(schedule, name=name)


def adamw(solver, schedule, name):
  """Adam with decay of the kernels beside the gradient, not in it."""
  return AdamW(schedule, weight_decay=solver.adamw_weight_decay, name=name)


def sgd(solver, schedule, name):
  """Stochastic gradient descent with momentum 0.9."""
  del solver
  return SGD(schedule, momentum=0.9, name=name)


OPTIMIZERS = {"adam": adam, "adamw": adamw, "sgd": sgd}


@dataclasses.dataclass(frozen=True)
class ParameterGroup:
  """Trainable variables, by their path in the model, and their optimizer."""

  name: str
  variables: dict[str, Any]
  optimizer: Any
  schedule: Any  # learning rate as a function of the step


def is_kernel(path: str) -> bool:
  """Whether weight decay applies: kernels of any layer, no bias, no norm.

  The leaf decides: kernel, depthwise_kernel, qkv_kernel, ... or a weight.
  """
  return path.endswith(("kernel", "weight"))


def build_optimizer(solver, schedule, name: str):
  """The optimizer that SolverOptions describe, not yet built on variables.

  Raises:
    ValueError: `optimizer` is not one of OPTIMIZERS.
  """
  if solver.optimizer not in OPTIMIZERS:
    raise ValueError(
      "solver_options.optimizer: expected one of "
      f"{sorted(OPTIMIZERS)}; got {solver.optimizer!r}."
    )
  return OPTIMIZERS[solver.optimizer](solver, schedule, name)


def build_parameter_groups(model, solver) -> tuple[ParameterGroup, ...]:
  """Backbone and rest, each with its optimizer; one group where alike.

  Two groups exist as soon as `backbone_learning_rate_multiplier` is set, be it
  to 1, so that checkpoints of one recipe have one layout.

  Raises:
    ValueError: the model has nothing to train, or its groups overlap or leave
      variables out.
  """
  members = _members(model)
  if not solver.HasField("backbone_learning_rate_multiplier"):
    everything = {p: v for group in members.values() for p, v in group.items()}
    return (_group("all", everything, solver, 1.0),)
  multipliers = {"backbone": solver.backbone_learning_rate_multiplier}
  return tuple(
    _group(name, variables, solver, multipliers.get(name, 1.0))
    for name, variables in members.items()
    if variables
  )


def _members(model) -> dict[str, dict[str, Any]]:
  """Group name -> path -> variable; checked to be a partition."""
  paths = {id(v): path for path, v in variables_by_path(model).items()}
  groups = model.parameter_groups()
  listed = [id(v) for group in groups.values() for v in group]
  trainable = {id(v) for v in model.trainable_variables}
  if not trainable:
    raise ValueError(
      "model: expected variables to train; it has none. Was it called once?"
    )
  if len(listed) != len(set(listed)) or set(listed) != trainable:
    astray = [paths[i] for i in trainable.symmetric_difference(listed)]
    raise ValueError(
      "model.parameter_groups: expected each trainable variable in exactly one"
      f" group; got {len(listed)} entries for {len(trainable)} variables,"
      f" astray: {sorted(astray)[:5]}."
    )
  return {
    name: {paths[id(v)]: v for v in group} for name, group in groups.items()
  }


def _group(name, variables, solver, multiplier) -> ParameterGroup:
  schedule = schedules.build_schedule(solver, multiplier)
  optimizer = build_optimizer(solver, schedule, name)
  if solver.optimizer == "adamw":
    optimizer.exclude_from_weight_decay(
      var_list=[v for path, v in variables.items() if not is_kernel(path)]
    )
  # Adam's slots must exist before the step is traced, or it fails at run time.
  optimizer.build(list(variables.values()))
  return ParameterGroup(name, variables, optimizer, schedule)


# Where Keras keeps an optimizer's slots, each list aligned with the variables.
_SLOT_LISTS = (
  ("momentum", "_momentums"),  # Adam, AdamW
  ("velocity", "_velocities"),
  ("momentum", "momentums"),  # SGD
)


def optimizer_state(group: ParameterGroup) -> dict[str, Any]:
  """name -> variable of a group's optimizer, slots under the variables' paths.

  Raises:
    ValueError: the optimizer holds variables that this module cannot name.
  """
  optimizer = group.optimizer
  state = {"iterations": optimizer.iterations}
  for slot, attribute in _SLOT_LISTS:
    for path, value in zip(
      group.variables, getattr(optimizer, attribute, ()), strict=False
    ):
      state[f"{path}/{slot}"] = value
  if {id(v) for v in state.values()} != {id(v) for v in optimizer.variables}:
    raise ValueError(
      f"optimizer {type(optimizer).__name__}: expected to name each of its"
      f" {len(optimizer.variables)} variables; named {len(state)}."
    )
  return state
