import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from deeplab2 import backend

# Other backends are tested in tests/backends_test.py, in a process each.


def normalized_line():
  """x -> batch_norm(w x), whose moving average a call in training moves."""
  model = keras.Sequential(
    [
      keras.layers.Dense(1, use_bias=False, kernel_initializer="ones"),
      keras.layers.BatchNormalization(momentum=0.5),
    ]
  )
  model.build((None, 2))
  return model


def test_the_backend_is_one_of_those_listed():
  assert backend.backend() in backend.BACKENDS


def test_compiled_functions_see_the_present_values_of_variables():
  model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
  model.build((None, 2))
  run = backend.compiled(lambda x: {"y": model(x)}, model)
  for value in (1.0, 3.0):
    model.variables[0].assign([[value], [value]])
    np.testing.assert_allclose(run(tf.ones((1, 2)))["y"], [[2 * value]])


def test_options_reach_the_function():
  model = normalized_line()
  run = backend.compiled(model, model, jit_compile=True)
  assert (
    run.get_concrete_function(tf.ones((1, 2)))
    .function_def.attr["_XlaMustCompile"]
    .b
  )


def test_gradients_are_of_the_trainable_variables_in_their_order():
  model = normalized_line()
  x = np.float32([[1, 2], [3, 5], [7, 11]])
  step = backend.differentiated(
    lambda x: ops.sum(model(x, training=True) * ops.arange(3.0)[:, None]), model
  )
  value, gradients = step(tf.constant(x))
  y = x.sum(1)
  unit = (y - y.mean()) / np.sqrt(y.var() + 1e-3)
  np.testing.assert_allclose(value, unit @ np.arange(3), rtol=1e-5)
  assert [g.shape for g in gradients] == [(2, 1), (1,), (1,)]
  np.testing.assert_allclose(gradients[2], [3.0], rtol=1e-6)  # beta
  np.testing.assert_allclose(gradients[1], [unit @ np.arange(3)], rtol=1e-5)


def test_what_has_no_effect_has_the_gradient_zero():
  model = normalized_line()
  step = backend.differentiated(
    lambda x: ops.sum(model.layers[0](x, training=True)), model
  )
  _, gradients = step(tf.constant([[1.0, 2.0], [3.0, 4.0]]))
  np.testing.assert_array_equal(gradients[0], [[4.0], [6.0]])
  np.testing.assert_array_equal(gradients[1:], [[0.0], [0.0]])


def test_what_a_step_assigns_is_assigned():
  model = normalized_line()
  step = backend.differentiated(
    lambda x: ops.sum(model(x, training=True)), model
  )
  step(tf.constant([[1.0, 2.0], [3.0, 4.0]]))
  np.testing.assert_allclose(model.layers[1].moving_mean, [2.5])


def test_tensorflow_is_not_sent_away_where_it_computes():
  before = tf.config.get_visible_devices()
  backend.keep_tensorflow_on_host()
  assert tf.config.get_visible_devices() == before


def test_what_needs_tensorflow_says_so(monkeypatch):
  backend.require_tensorflow("training")
  monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
  with pytest.raises(ValueError) as error:
    backend.require_tensorflow("training")
  assert str(error.value) == (
    "KERAS_BACKEND: expected 'tensorflow' for training; got 'jax'."
  )
