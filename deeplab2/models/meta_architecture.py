"""What a meta-architecture is, and the table of those that exist.

A meta-architecture names its model, its loss and its post-processing; trainer,
evaluator, predictor and export know no more of it than this. Adding one is a
new module with a `build(experiment, dataset)` and a line in the table.
"""

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from deeplab2 import structures
from deeplab2.backend import keep_tensorflow_on_host


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetaArchitecture:
  """A built model with what turns its predictions into losses and maps.

  Attributes:
    model: a keras.Model with its variables, called as
      `model(image, training=False, auxiliary=True, seed=None)` on images of
      0..255. `seed`, an int32 pair, is the source of what training drops.
    dataset: the DatasetDescription it was built for.
    loss: `loss(prediction, targets, seed=None)` -> name -> b float32, with
      "total_loss" their sum. `seed` is an int32 pair for losses that sample.
    postprocess: `postprocess(prediction, size, semantic=True)` ->
      PanopticPrediction at `size`, the height and width of the image that went
      in. Whoever needs no semantic map saves time without.
    target_stride: pixels of the image from one of the loss's to the next;
      the loss looks at no others, so the input need not make targets of them.
  """

  model: Any
  dataset: Any
  loss: Callable[..., Mapping[str, structures.Tensor]]
  postprocess: Callable[..., structures.PanopticPrediction]
  target_stride: int = 1


# The name of the field set in ModelOptions -> the module that builds it.
META_ARCHITECTURES = {
  "max_deeplab": "deeplab2.models.max_deeplab_architecture",
}


def build_meta_architecture(experiment) -> MetaArchitecture:
  """Builds what `experiment.model_options.meta_architecture` names.

  Raises:
    ValueError: the experiment names none, or one that is not available.
  """
  from deeplab2.datasets import load_dataset

  name = experiment.model_options.WhichOneof("meta_architecture")
  if name not in META_ARCHITECTURES:
    raise ValueError(
      "model_options.meta_architecture: expected one of "
      f"{sorted(META_ARCHITECTURES)}; got {name}."
    )
  keep_tensorflow_on_host()
  module = importlib.import_module(META_ARCHITECTURES[name])
  dataset = load_dataset(experiment.train_dataset_options.dataset)
  return module.build(experiment, dataset)


def build_model(experiment):
  """The keras.Model of an experiment, with its variables."""
  return build_meta_architecture(experiment).model
