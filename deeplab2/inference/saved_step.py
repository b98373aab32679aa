"""A step that was not finite, as a run saved it, ready to be replayed."""

import dataclasses
import os

from deeplab2.inference.trained_model import load_trained_model
from deeplab2.models import MetaArchitecture
from deeplab2.structures import Batch
from deeplab2.training import nonfinite
from deeplab2.training.checkpoints import checkpoint_steps


@dataclasses.dataclass(frozen=True)
class SavedStep:
  """What `replay.replay_step` takes.

  Attributes:
    architecture: with the weights before the step.
    batch: of the step.
    step: its number.
    seed: of the run.
    micro_batches: batches that made the step; `batch` is all of them.
  """

  architecture: MetaArchitecture
  batch: Batch
  step: int
  seed: int
  micro_batches: int

  @property
  def names(self) -> list[str]:
    """Of the images."""
    return nonfinite.image_names(self.batch)


def load_saved_step(folder: str) -> SavedStep:
  """Builds the model of the run and loads what it was given.

  Raises:
    ValueError: the folder is not what a run saves, or not whole.
  """
  steps = checkpoint_steps(folder)
  if not steps:
    raise ValueError(
      "step_dir: expected a folder nonfinite-step-<step> that a run left in its"
      f" model_dir; found no weights in {folder}."
    )
  batch = nonfinite.load_batch(os.path.join(folder, nonfinite.BATCH))
  trained = load_trained_model(os.path.join(folder, f"ckpt-{steps[-1]}"))
  options = trained.experiment.trainer_options
  return SavedStep(
    trained.architecture,
    batch,
    steps[-1],
    options.seed,
    options.gradient_accumulation_steps,
  )
