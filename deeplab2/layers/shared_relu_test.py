import numpy as np
import pytest

from deeplab2.layers.shared_relu import relu_of_shared

X = np.array([[-2.0, -0.0, 0.0, 3.0, np.inf, -np.inf, np.nan]], "float32")


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_is_a_relu(training, dtype):
  tf = pytest.importorskip("tensorflow")
  x = tf.cast(X, dtype)
  y = relu_of_shared(x, training)
  assert y.dtype == dtype
  np.testing.assert_array_equal(tf.cast(y, "float32"), tf.nn.relu(X))


@pytest.mark.parametrize("training", [False, True])
def test_its_gradient_at_zero_is_zero(training):
  tf = pytest.importorskip("tensorflow")
  x = tf.constant(X[:, :4])
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = relu_of_shared(x, training)
  np.testing.assert_array_equal(tape.gradient(y, x), [[0.0, 0.0, 0.0, 1.0]])
