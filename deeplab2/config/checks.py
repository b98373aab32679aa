"""Is an experiment whole and consistent? Asked before anything is built."""

import math
from collections.abc import Iterator

from deeplab2.config.config_pb2 import (
  DatasetOptions,
  ExperimentOptions,
  TrainerOptions,
)
from deeplab2.config.dataset_rules import (
  carry_over_problems,
  class_problems,
  described_datasets,
  file_problems,
  size_problems,
)
from deeplab2.config.field_rules import FIELD_RULES, FILE_RULES
from deeplab2.config.fields import (
  Field,
  is_repeated,
  is_set,
  set_leaves,
  value_at,
)
from deeplab2.config.max_deeplab_rules import max_deeplab_problems
from deeplab2.config.rules import broken_rules, problem, show

META_ARCHITECTURES = {"max_deeplab": max_deeplab_problems}

_SOLVER = "trainer_options.solver_options"
_EVALUATOR = "evaluator_options"
_POLY = (f"{_SOLVER}.learning_policy", "poly")

# Option -> the option and the value without which it has no effect.
SWITCHES = {
  f"{_SOLVER}.clip_gradient_norm": (f"{_SOLVER}.use_gradient_clipping", True),
  f"{_SOLVER}.adamw_weight_decay": (f"{_SOLVER}.optimizer", "adamw"),
  f"{_SOLVER}.poly_learning_power": _POLY,
  f"{_SOLVER}.poly_end_learning_rate": _POLY,
  "trainer_options.max_skipped_steps": (
    "trainer_options.nonfinite_policy",
    "skip",
  ),
  f"{_EVALUATOR}.transformer_class_confidence_threshold": (
    f"{_EVALUATOR}.transformer_post_processing",
    "pixelwise",
  ),
  f"{_EVALUATOR}.maskwise_postprocessing": (
    f"{_EVALUATOR}.transformer_post_processing",
    "maskwise",
  ),
}

_AUGMENTATIONS = "train_dataset_options.augmentations"
_PASTE = f"{_AUGMENTATIONS}.panoptic_copy_paste"
_HEADS = "model_options.max_deeplab"

# Option -> the option without which it has no effect; that may be 0, to switch
# off what a recipe has.
AMOUNTS = {
  **{
    f"{_PASTE}.panoptic_copy_paste_{kind}_option": (
      f"{_PASTE}.panoptic_copy_paste_scale"
    )
    for kind in ("thing", "stuff", "void")
  },
  **{
    f"{_HEADS}.{loss}_sample_temperature": f"{_HEADS}.{loss}_sample_k"
    for loss in ("instance_discrimination", "semantic")
  },
}


def complete_and_check(
  experiment: ExperimentOptions, splits: tuple[str, ...]
) -> list[str]:
  """Fills in what follows from the data sets and finds what is wrong.

  Args:
    experiment: one without placeholders; a number of classes that is not set is
      set here.
    splits: "train", "eval": those whose files have to be there.

  Returns:
    One line a problem, as `field: rule; got value.`; nothing when all is well.
  """
  meta_architecture = experiment.model_options.WhichOneof("meta_architecture")
  if meta_architecture not in META_ARCHITECTURES:
    return [_unavailable(meta_architecture)]
  datasets, problems = described_datasets(experiment)
  problems += broken_rules(experiment, FIELD_RULES)
  problems += META_ARCHITECTURES[meta_architecture](
    experiment, datasets.get("train")
  )
  problems += _not_finite(experiment)
  problems += _trainer_problems(experiment.trainer_options)
  problems += _switched_off(experiment)
  problems += _data_problems(experiment)
  problems += carry_over_problems(experiment)
  if len(datasets) == 2:
    problems += class_problems(datasets)
  for split in splits:
    problems += broken_rules(experiment, FILE_RULES[split])
  return problems + list(file_problems(experiment, splits))


def _data_problems(experiment: ExperimentOptions) -> Iterator[str]:
  stride = experiment.model_options.backbone.output_stride
  for split in ("train", "eval"):
    path = f"{split}_dataset_options"
    options = getattr(experiment, path)
    if stride > 0:
      yield from size_problems(options, path, stride)
    yield from _weight_problems(options, path)
  yield from _augmentation_problems(experiment)


def _unavailable(meta_architecture: str | None) -> str:
  return (
    "model_options: expected the options of an available meta-architecture, "
    f"{', '.join(META_ARCHITECTURES)}; got {meta_architecture or 'none'}."
  )


def _not_finite(experiment: ExperimentOptions) -> Iterator[str]:
  for path, message, field in set_leaves(experiment):
    if field.cpp_type == Field.CPPTYPE_FLOAT:
      value = getattr(message, field.name)
      for number in value if is_repeated(field) else [value]:
        if not math.isfinite(number):
          yield problem(path, "a finite number", number)


def _trainer_problems(options: TrainerOptions) -> Iterator[str]:
  if options.steps_per_loop > 0 and (
    options.save_summaries_steps % options.steps_per_loop
  ):
    yield problem(
      "trainer_options.save_summaries_steps",
      f"a multiple of steps_per_loop, {options.steps_per_loop}",
      options.save_summaries_steps,
    )


def _switched_off(experiment: ExperimentOptions) -> Iterator[str]:
  """Options that only act when another one has a certain value."""
  for path, (switch, value) in SWITCHES.items():
    wanted = f"unset without {switch.rpartition('.')[2]}: {show(value)}"
    if is_set(experiment, path) and value_at(experiment, switch) != value:
      yield problem(path, wanted, value_at(experiment, path))
  for path, amount in AMOUNTS.items():
    wanted = f"unset without {amount.rpartition('.')[2]}"
    if is_set(experiment, path) and not is_set(experiment, amount):
      yield problem(path, wanted, value_at(experiment, path))


def _weight_problems(options: DatasetOptions, path: str) -> Iterator[str]:
  """A factor on small instances that is not switched on; 1 is no factor."""
  if options.increase_small_instance_weights:
    return
  for name in ("small_instance_weight", "small_instance_threshold"):
    value = getattr(options, name)
    if options.HasField(name) and (name, value) != ("small_instance_weight", 1):
      yield problem(
        f"{path}.{name}", "unset without increase_small_instance_weights", value
      )


def _augmentation_problems(experiment: ExperimentOptions) -> Iterator[str]:
  scales = experiment.train_dataset_options.augmentations
  if scales.min_scale_factor > scales.max_scale_factor:
    yield problem(
      "train_dataset_options.augmentations.min_scale_factor",
      f"at most max_scale_factor, {scales.max_scale_factor:.7g}",
      scales.min_scale_factor,
    )
  if experiment.eval_dataset_options.HasField("augmentations"):
    yield problem(
      "eval_dataset_options.augmentations",
      "unset, evaluation changes no image",
      experiment.eval_dataset_options.augmentations,
    )
