"""How large a network is, and how much it has to multiply, part by part."""

import re

import keras
import tensorflow as tf

from deeplab2.benchmark.multiply_adds import count_multiply_adds


def network_size(model, size: int) -> dict:
  """Parameters and multiply-adds of one image, forward, by part of the model.

  The parts are the attributes of the model that are layers.

  Args:
    model: as MetaArchitecture has it.
    size: height and width of the image.

  Returns:
    "parameters" and "multiply_adds", in all; "multiply_adds_of_prediction",
    which leaves the auxiliary branch out; "parts": name -> "parameters" and
    "multiply_adds", a dict by kind of product.
  """
  parts = _parts(model)
  counts = _count(model, size, auxiliary=True)
  needed = _count(model, size, auxiliary=False)
  rows = {
    name: {
      "parameters": sum(_numbers(v) for v in layer.variables),
      "multiply_adds": {},
    }
    for name, layer in parts.items()
  }
  for scope, kinds in counts.items():
    found = rows[_part_of(scope, parts)]["multiply_adds"]
    for kind, count in kinds.items():
      found[kind] = found.get(kind, 0) + count
  return {
    "parameters": sum(_numbers(v) for v in model.variables),
    "multiply_adds": _total(counts),
    "multiply_adds_of_prediction": _total(needed),
    "parts": rows,
  }


def _parts(model) -> dict[str, keras.layers.Layer]:
  return {
    name: value
    for name, value in vars(model).items()
    if isinstance(value, keras.layers.Layer) and not name.startswith("_")
  }


def _count(model, size: int, auxiliary: bool):
  def predict(image):
    return model(image, training=False, auxiliary=auxiliary)

  image = tf.TensorSpec((1, size, size, 3), tf.uint8)
  function = tf.function(predict, autograph=False)
  return count_multiply_adds(function.get_concrete_function(image).graph)


def _part_of(scope: str, parts) -> str:
  """The attribute whose layer opened a scope.

  A scope that is opened again gets a number, as "mask_head_1".
  """
  names = [
    name
    for name, layer in parts.items()
    if re.fullmatch(rf"{re.escape(layer.name)}(_\d+)?", scope)
  ]
  if len(names) != 1:
    raise ValueError(
      f"model: expected one layer behind the scope {scope!r}, out of "
      f"{sorted(layer.name for layer in parts.values())}; got {names}."
    )
  return names[0]


def _numbers(variable) -> int:
  return int(tf.size(variable.value))


def _total(counts) -> int:
  return sum(sum(kinds.values()) for kinds in counts.values())
