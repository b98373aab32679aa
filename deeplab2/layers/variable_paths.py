"""Names for the variables of a model that come from its attributes.

Keras's own paths number layers by their order of creation in the process, so
they are no keys for a checkpoint. An attribute path is, such as
"encoder/stage4/block2/conv1_bn_act/conv/kernel".
"""

import keras


def variables_by_path(layer: keras.layers.Layer) -> dict[str, keras.Variable]:
  """Attribute path -> variable, of all variables of a built layer or model.

  Raises:
    ValueError: the attributes do not lead to each variable exactly once, for
      instance because layers are held in a list or under two names.
  """
  found = dict(_walk(layer, ""))
  _check_cover(layer, found)
  return found


def _walk(layer, prefix):
  """Yields (path, variable), those of the sublayers last."""
  for value in vars(layer).values():
    if isinstance(value, keras.Variable):
      yield prefix + value.name, value
  # Under PyTorch a layer is a module, and keeps those inside it apart.
  parts = {**vars(layer), **vars(layer).get("_modules", {})}
  for name, value in parts.items():
    if isinstance(value, keras.layers.Layer) and not name.startswith("_"):
      yield from _walk(value, f"{prefix}{name}/")


def _check_cover(layer, found):
  reached = [id(variable) for variable in found.values()]
  lost = {id(v): v.path for v in layer.variables if id(v) not in set(reached)}
  if lost or len(reached) != len(set(reached)):
    twice = sorted(
      path for path, v in found.items() if reached.count(id(v)) > 1
    )
    raise ValueError(
      "variables: expected each under one attribute path; "
      f"not reached {sorted(lost.values())}, reached twice {twice}."
    )
