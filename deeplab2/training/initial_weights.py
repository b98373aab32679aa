"""Where the weights of a new run come from: chance, or another checkpoint."""

from deeplab2.datasets import load_dataset
from deeplab2.datasets.description import VOID_NAME, DatasetDescription
from deeplab2.interop.class_rows import CHANNELS, CLASS_IDS, CarryOver
from deeplab2.interop.import_plan import Exceptions
from deeplab2.interop.import_weights import import_weights

# Last layers: what they say depends on the classes of the data set.
_LAST_LAYERS = {
  "restore_semantic_last_layer_from_initial_checkpoint": (
    "semantic_head/final_conv/"
  ),
  "restore_instance_last_layer_from_initial_checkpoint": (
    "mask_head/transformer_class_head/"
  ),
}


def load_initial_weights(
  model, options, dataset: DatasetDescription | None = None
) -> str | None:
  """Loads `initial_checkpoint`, if ModelOptions name one.

  The last layers keep their random values where their number of classes
  differs or `restore_..._last_layer_...` is false, but for the rows that are
  carried over. All else must be there; of a checkpoint of the backbone alone,
  all of the backbone.

  Args:
    model: a keras.Model whose variables exist.
    options: ModelOptions.
    dataset: what the model is for; needed with `carry_over_classes_from`.

  Returns:
    What was loaded and what was left, for people; None without a checkpoint.

  Raises:
    ValueError: the checkpoint is not there or does not fit.
  """
  if not options.initial_checkpoint:
    return None
  done = import_weights(
    model,
    options.initial_checkpoint,
    Exceptions(
      afresh=_left_afresh(options),
      missing=tuple(options.initial_checkpoint_allow_missing),
      unused=tuple(options.initial_checkpoint_allow_unused),
    ),
    carry_over=class_carry_over(options, dataset),
  )
  return "\n".join([f"Weights of {done.source}.", *done.lines()])


def _left_afresh(options) -> tuple[str, ...]:
  return tuple(
    layer
    for field, layer in _LAST_LAYERS.items()
    if not getattr(options, field)
  )


def class_carry_over(
  options, dataset: DatasetDescription | None
) -> CarryOver | None:
  """What `carry_over_classes_from` of ModelOptions asks for, if anything."""
  name = options.carry_over_classes_from
  if not name:
    return None
  if dataset is None:
    raise ValueError(
      "carry_over_classes_from: expected a model with a data set of its own; "
      f"got '{name}' without one."
    )
  source = load_dataset(name)
  return CarryOver(source.name, _class_names(source), _class_names(dataset))


def _class_names(dataset: DatasetDescription) -> dict[str, tuple[str, ...]]:
  """Names along the class axes of a model for a data set."""
  names = [dataset.class_names[i] for i in dataset.layout.class_ids]
  return {CLASS_IDS: dataset.class_names, CHANNELS: (*names, VOID_NAME)}
