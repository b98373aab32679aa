"""Where the weights of a new run come from: chance, or another checkpoint."""

from deeplab2.training import checkpoints

# Last layers: their shape depends on the classes of the data set.
_LAST_LAYERS = {
  "restore_semantic_last_layer_from_initial_checkpoint": (
    "semantic_head/final_conv/"
  ),
  "restore_instance_last_layer_from_initial_checkpoint": (
    "mask_head/transformer_class_head/"
  ),
}


def load_initial_weights(model, options) -> str | None:
  """Loads `initial_checkpoint`, strictly, if ModelOptions name one.

  The last layers keep their random values where `restore_..._last_layer_...`
  is false; all other variables must be there.

  Returns:
    What was loaded and what was left, for people; None without a checkpoint.

  Raises:
    ValueError: the checkpoint is not there or does not fit.
  """
  if not options.initial_checkpoint:
    return None
  afresh = [
    layer
    for field, layer in _LAST_LAYERS.items()
    if not getattr(options, field)
  ]
  prefix = checkpoints.load_checkpoint(
    model, options.initial_checkpoint, afresh=afresh
  )
  left = f", but {' and '.join(afresh)}, which start afresh" if afresh else ""
  return f"Weights of {prefix}{left}."
