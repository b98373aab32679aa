"""What a run is about to do, in one table, before it does it.

The memory of a step is estimated, by a simple model:

  what the process has before the first step
  + a gradient for each trained number, in float32, and with
    gradient_accumulation_steps the sum of them
  + ACTIVATIONS, or with recompute_grad RECOMPUTED, times what the layers of the
    network give for the images of a device in the precision of the network
  + on the host, GRAPH for the traced step.

The factor stands for the results that the backward pass needs, those that it
makes, and what operations need in between. Layers are measured when the network
is made, on a small image, and count by pixels. The numbers come of measured
peaks on CPUs; g3doc/training.md says how far to trust them.
"""

import math
from typing import NamedTuple

from deeplab2.config.scaling import images_a_step
from deeplab2.datasets.record_index import RecordIndex
from deeplab2.training.layer_probe import OutputSize, layers_by_path
from deeplab2.training.memory import memory_in_use, memory_of_host
from deeplab2.training.progress import size

ACTIVATIONS = 0.8
RECOMPUTED = 0.3
GRAPH = 0.3e9  # bytes


class Plan(NamedTuple):
  """What the table is made of, besides the experiment."""

  model: object  # keras.Model
  outputs: OutputSize  # of the model on a small image
  replicas: int
  device: str  # "CPU" or "GPU"
  first_step: int
  records: int | None  # of the training set; None where it is not known


def count_records(options) -> int | None:
  """Of the files that DatasetOptions name; None where they name none."""
  if not options.file_pattern:
    return None
  return len(RecordIndex.from_patterns(options.file_pattern, allow_damage=True))


def overview(experiment, plan: Plan) -> str:
  """The table, a line a row."""
  rows = {
    "model": _parameters(plan.model),
    "devices": f"{plan.replicas} x {plan.device}, {_precision(experiment)}",
    "batch": _batch(experiment, plan.replicas),
    "learning rate": _rates(experiment),
    "data": _data(experiment, plan.records),
    "steps": _steps(experiment, plan),
    "memory": _memory(experiment, plan),
  }
  width = max(map(len, rows))
  return "\n".join(f"  {k:<{width}}  {v}" for k, v in rows.items() if v)


def estimated_bytes(experiment, plan: Plan) -> int:
  """Of the host during a step on CPUs, by the model of the module's docstring.

  On other devices: of one device, besides what the host needs.
  """
  trained = sum(math.prod(v.shape) for v in plan.model.trainable_variables)
  options = experiment.train_dataset_options
  pixels = options.batch_size * math.prod(options.crop_size)
  outputs = plan.outputs.bytes * pixels / max(1, plan.outputs.pixels)
  trainer = experiment.trainer_options
  gradients = 2 if trainer.gradient_accumulation_steps > 1 else 1
  again = experiment.model_options.backbone.recompute_grad
  factor = RECOMPUTED if again else ACTIVATIONS
  step = gradients * 4 * trained + factor * outputs
  if plan.device == "CPU":
    return int(memory_in_use().get("host", 0) + step + GRAPH)
  variables = _bytes_of_variables(plan.model, trainer.ema_decay > 0)
  return int(variables + step / plan.replicas)


def _bytes_of_variables(model, averaged: bool) -> int:
  """Weights, two moments of each, and the average if there is one."""
  copies = 4 if averaged else 3
  return 4 * copies * sum(math.prod(v.shape) for v in model.variables)


def _parameters(model) -> str:
  """Trained numbers, and how many are in which part."""
  total = sum(math.prod(v.shape) for v in model.trainable_variables)
  parts = {
    path: sum(math.prod(v.shape) for v in layer.trainable_variables)
    for path, layer in layers_by_path(model).items()
    if "/" not in path
  }
  listed = ", ".join(f"{name} {_count(n)}" for name, n in parts.items() if n)
  return f"{_count(total)} parameters to train: {listed}"


def _count(number: int) -> str:
  """12,345,678 as 12.3 M."""
  for unit, name in ((10**6, "M"), (10**3, "k")):
    if number >= unit:
      return f"{number / unit:.3g} {name}"
  return str(number)


def _precision(experiment) -> str:
  options = experiment.trainer_options
  return options.precision + (", XLA" if options.jit_compile else "")


def _batch(experiment, replicas: int) -> str:
  options = experiment.train_dataset_options
  crop = " x ".join(map(str, options.crop_size))
  text = f"{options.batch_size} images of {crop}"
  if replicas > 1:
    text += f", {options.batch_size // replicas} on each device"
  batches = experiment.trainer_options.gradient_accumulation_steps
  if batches > 1:
    text += (
      f"; {batches} of them make a step, {images_a_step(experiment)} images"
    )
  return text


def _rates(experiment) -> str:
  solver = experiment.trainer_options.solver_options
  text = f"{solver.base_learning_rate:.4g} with {solver.optimizer}"
  if solver.HasField("backbone_learning_rate_multiplier"):
    text += f", {solver.backbone_learning_rate_multiplier:.4g} of it for the"
    text += " backbone"
  if solver.warmup_steps:
    text += f", after {solver.warmup_steps} steps of warm-up"
  return f"{text}, {solver.learning_policy}"


def _data(experiment, records: int | None) -> str:
  if not records:
    return ""
  patterns = ", ".join(experiment.train_dataset_options.file_pattern)
  return f"{records} images in {patterns}"


def _steps(experiment, plan: Plan) -> str:
  total = experiment.trainer_options.solver_options.training_number_of_steps
  text = f"{total}"
  if plan.first_step:
    text += f", of which {plan.first_step} are done"
  if plan.records:
    images = total * images_a_step(experiment)
    epoch = plan.records / images_a_step(experiment)
    text += f"; {images / plan.records:.3g} epochs of {epoch:.4g} steps"
  return text


def _memory(experiment, plan: Plan) -> str:
  needed = estimated_bytes(experiment, plan)
  there = memory_of_host() if plan.device == "CPU" else None
  text = f"about {size(needed)}"
  if there is None:
    return f"{text} a device"
  text += f" of {size(there)}"
  if needed > there:
    text += (
      "; warning: that may be too much. A smaller"
      " train_dataset_options.batch_size or crop_size, or"
      " model_options.backbone.recompute_grad=true, needs less"
    )
  return text
