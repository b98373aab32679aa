"""What differs between the Keras backends where a whole function is run.

Layers, losses and post-processing are written in `keras.ops`. How such a
function is compiled, and how its gradient is taken, is each backend's own.
TensorFlow also reads images and checkpoints, whichever backend computes.
"""

from collections.abc import Callable
from typing import Any

import keras

BACKENDS = ("tensorflow", "jax", "torch")


def backend() -> str:
  """One of BACKENDS; the environment variable KERAS_BACKEND decides."""
  return keras.backend.backend()


def require_tensorflow(what: str) -> None:
  """Raises ValueError under another backend.

  Args:
    what: cannot be done there, such as "training".
  """
  if backend() != "tensorflow":
    raise ValueError(
      f"KERAS_BACKEND: expected 'tensorflow' for {what}; got {backend()!r}."
    )


def keep_tensorflow_on_host() -> None:
  """Leaves accelerators to the backend, if it is not TensorFlow.

  TensorFlow would reserve their memory for the little that it does.
  """
  if backend() == "tensorflow":
    return
  import tensorflow as tf

  for kind in ("GPU", "TPU"):
    if tf.config.get_visible_devices(kind):
      tf.config.set_visible_devices([], kind)


def compiled(function: Callable, model, **options) -> Callable:
  """A function that calls a model, without gradient, ready to run often.

  Args:
    function: tensors -> tensors, nested in tuples or dicts.
    model: whose variables it reads. Their values at the time of a call count.
    options: of `tf.function`.

  Returns:
    The same function of tensors or arrays.
  """
  return _COMPILED[backend()](function, model, **options)


def differentiated(function: Callable, model) -> Callable:
  """A function with its gradient, as a step of training needs them.

  Args:
    function: tensors -> a scalar. What it assigns to variables of the model,
      such as moving averages, is assigned.
    model: whose trainable variables the gradient is of.

  Returns:
    A function of the same tensors, or arrays, to (scalar, list of gradients),
    with zeros for a variable that has no effect.
  """
  return _DIFFERENTIATED[backend()](function, model)


def _compiled_tensorflow(function, model, **options):
  import tensorflow as tf

  del model
  options = {"autograph": False, "reduce_retracing": True, **options}
  return tf.function(function, **options)


def _compiled_jax(function, model, **options):
  import jax

  del options

  @jax.jit
  def stateless(values, *tensors):
    with keras.StatelessScope(list(zip(model.variables, values, strict=True))):
      return function(*tensors)

  return lambda *tensors: stateless(_values(model.variables), *tensors)


def _compiled_torch(function, model, **options):
  import torch

  del model, options

  def call(*tensors):
    with torch.inference_mode():
      return function(*_torch_tensors(tensors))

  return call


def _differentiated_tensorflow(function, model):
  import tensorflow as tf

  @tf.function(autograph=False, reduce_retracing=True)
  def call(*tensors):
    with tf.GradientTape() as tape:
      value = function(*tensors)
    gradients = tape.gradient(
      value,
      _values(model.trainable_variables),
      unconnected_gradients="zero",
    )
    return value, gradients

  return call


def _differentiated_jax(function, model):
  import jax

  trained, kept = model.trainable_variables, model.non_trainable_variables

  def stateless(trained_values, kept_values, *tensors):
    mapping = [
      *zip(trained, trained_values, strict=True),
      *zip(kept, kept_values, strict=True),
    ]
    with keras.StatelessScope(mapping) as scope:
      value = function(*tensors)
    return value, [scope.get_current_value(v) for v in kept]

  step = jax.jit(jax.value_and_grad(stateless, has_aux=True))

  def call(*tensors):
    (value, moved), gradients = step(_values(trained), _values(kept), *tensors)
    for variable, new in zip(kept, moved, strict=True):
      variable.assign(new)
    return value, gradients

  return call


def _differentiated_torch(function, model):
  import torch

  def call(*tensors):
    value = function(*_torch_tensors(tensors))
    trained = _values(model.trainable_variables)
    gradients = torch.autograd.grad(value, trained, materialize_grads=True)
    return value.detach(), list(gradients)

  return call


def _values(variables) -> list[Any]:
  return [variable.value for variable in variables]


def _torch_tensors(tensors):
  """Arrays, nested as they may be, on the device that Keras computes on."""
  return keras.tree.map_structure(keras.ops.convert_to_tensor, tensors)


_COMPILED = {
  "tensorflow": _compiled_tensorflow,
  "jax": _compiled_jax,
  "torch": _compiled_torch,
}
_DIFFERENTIATED = {
  "tensorflow": _differentiated_tensorflow,
  "jax": _differentiated_jax,
  "torch": _differentiated_torch,
}
