"""Is a recipe used at another batch size without its learning rate?"""

from collections.abc import Iterator

from deeplab2.config.config_pb2 import ExperimentOptions

_RATE = "trainer_options.solver_options.base_learning_rate"


def scaling_warnings(
  recipe: ExperimentOptions, experiment: ExperimentOptions
) -> Iterator[str]:
  """A line where images a step changed and the learning rate did not.

  Args:
    recipe: the config as its file has it, before overrides.
    experiment: what is run.
  """
  before, now = images_a_step(recipe), images_a_step(experiment)
  rate = _rate(experiment)
  if before == now or rate != _rate(recipe):
    return
  yield (
    f"warning: {now} images a step, where the recipe has {before}, at the"
    f" recipe's learning rate, {rate:.4g}. It was tuned for those {before}; in"
    f" proportion it would be --set {_RATE}={rate * now / before:.4g}"
  )


def images_a_step(experiment: ExperimentOptions) -> int:
  """Images between two updates, over all devices and micro-batches."""
  batches = experiment.trainer_options.gradient_accumulation_steps
  return experiment.train_dataset_options.batch_size * batches


def _rate(experiment: ExperimentOptions) -> float:
  return experiment.trainer_options.solver_options.base_learning_rate
