"""ReLU of features that other layers read as they are."""

import keras
from keras import ops


def relu_of_shared(x, training):
  """`ops.relu(x)`, where x is read elsewhere, not rectified, as well.

  TensorFlow makes one operation of a convolution, a sum and the ReLU after it,
  even where the sum is read elsewhere; then it finds the sum missing, and fuses
  nothing in the whole graph. It does not know a maximum as a ReLU.

  Args:
    x: float tensor.
    training: whether batch statistics normalize, so that there is no such sum.
      Then it is a ReLU, which keeps less for its gradient.
  """
  if training or keras.backend.backend() != "tensorflow":
    return ops.relu(x)
  return ops.maximum(0.0, x)  # in this order, the gradient at zero is ReLU's
