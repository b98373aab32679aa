"""A model with what it learned: from a training folder or a checkpoint."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deeplab2.config import load_experiment
from deeplab2.interop.checkpoint_sources import located
from deeplab2.models import MetaArchitecture, build_meta_architecture
from deeplab2.training import model_dir
from deeplab2.training.checkpoints import load_checkpoint

# Beside the checkpoints of a run: what it was told, and what its classes are.
EXPERIMENT_FILE = model_dir.EXPERIMENT
DATASET_FILE = model_dir.DATASET

# Costs nothing to leave on, but would be written into an exported graph.
_NOT_FOR_INFERENCE = ("model_options.backbone.recompute_grad=false",)


@dataclasses.dataclass(frozen=True)
class TrainedModel:
  """A built meta-architecture with loaded variables.

  Attributes:
    architecture: what was built.
    experiment: the ExperimentOptions it was built from.
    checkpoint: prefix of the files that its variables come from, or archive.
  """

  architecture: MetaArchitecture
  experiment: Any
  checkpoint: str


def load_trained_model(
  path: str,
  config_file: str | None = None,
  overrides: Sequence[str] = (),
  weights: str | None = None,
) -> TrainedModel:
  """Builds the model that a checkpoint was saved from, and loads it.

  Args:
    path: a training folder, for its newest checkpoint, the prefix of one, or
      an archive of the original's model zoo.
    config_file: a config's name or path; None for the experiment.textproto
      that training left beside the checkpoint.
    overrides: assignments such as "eval_dataset_options.crop_size=641,641".
    weights: "ema" or "raw", as `load_checkpoint` takes them.

  Raises:
    ValueError: no checkpoint, no config, or they do not fit one another.
  """
  checkpoint = located(path)
  folder = Path(checkpoint).parent
  experiment = load_experiment(
    config_file or _config_beside(folder),
    overrides=(*_dataset_beside(folder), *overrides, *_NOT_FOR_INFERENCE),
    search_files=False,
  )
  architecture = build_meta_architecture(experiment)
  load_checkpoint(architecture.model, checkpoint, whole=True, weights=weights)
  return TrainedModel(architecture, experiment, checkpoint)


def _config_beside(folder: Path) -> str:
  path = folder / EXPERIMENT_FILE
  if not path.is_file():
    raise ValueError(
      "config_file: expected the config that the checkpoint was trained with, "
      f"because there is no {path}; got none."
    )
  return str(path)


def _dataset_beside(folder: Path) -> tuple[str, ...]:
  """Overrides for a folder that came without the dataset it was trained on."""
  path = folder / DATASET_FILE
  if not path.is_file():
    return ()
  return tuple(
    f"{split}_dataset_options.dataset={path}" for split in ("train", "eval")
  )
