"""What follows from variables alone, computed once where they stay as they are.

A trained network multiplies its kernels with the factors of its normalizations,
and rounds them where it computes in bfloat16, in each call anew, because the
variables might have changed. Whoever knows that they do not says so here.
"""

import contextlib
import threading

import keras

_scope = threading.local()


@contextlib.contextmanager
def settled_variables():
  """Within, a graph keeps what variables are while it is traced.

  It has copies: later changes of the variables do not show in its results.
  TensorFlow only; under other backends nothing is different.
  """
  outer = getattr(_scope, "settled", False)
  _scope.settled = keras.backend.backend() == "tensorflow"
  try:
    yield
  finally:
    _scope.settled = outer


def settled(function):
  """`function()`, whose tensors depend on nothing but variables."""
  if not getattr(_scope, "settled", False):
    return function()
  import tensorflow as tf

  with tf.init_scope():  # outside of the graph that is traced
    return function()
