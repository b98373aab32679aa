import keras
import numpy as np
import pytest

from deeplab2.layers.atrous_convolution import AtrousConv2D, sum_of_taps

tf = pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
  pytest.skip("the sum is TensorFlow's", allow_module_level=True)

B, H, W, C, D = 2, 7, 11, 3, 5


def _inputs(seed=0):
  rng = np.random.default_rng(seed)
  x = rng.normal(size=(B, H, W, C)).astype("float32")
  return x, rng.normal(size=(3, 3, C, D)).astype("float32")


def _slowly(x, kernel, rate):
  """Place by place."""
  padded = np.pad(x, ((0, 0), (rate, rate), (rate, rate), (0, 0)))
  y = np.zeros((B, H, W, D))
  for row, column in np.ndindex(H, W):
    seen = padded[:, row::rate, column::rate][:, :3, :3]
    y[:, row, column] = np.einsum("bijc,ijcd->bd", seen, kernel)
  return y


@pytest.mark.parametrize("rate", [1, 2, 6, 7, 10, 11, 18])
def test_the_sum_of_taps_is_the_convolution(rate):
  x, kernel = _inputs()
  np.testing.assert_allclose(
    sum_of_taps(x, kernel, rate), _slowly(x, kernel, rate), atol=1e-4
  )


def test_beyond_the_features_only_the_centre_remains():
  x, kernel = _inputs()
  np.testing.assert_allclose(
    sum_of_taps(x, kernel, 11), x @ kernel[1, 1], atol=1e-5
  )


def test_the_layer_agrees_with_keras():
  x, _ = _inputs()
  options = dict(padding="same", dilation_rate=3, use_bias=False)
  layer = AtrousConv2D(D, 3, **options)
  plain = keras.layers.Conv2D(D, 3, **options)
  layer(x)
  plain(x)
  plain.kernel.assign(layer.kernel)
  np.testing.assert_allclose(layer(x), plain(x), atol=1e-5)


def test_unknown_sizes_are_served_too():
  x, _ = _inputs()
  layer = AtrousConv2D(D, 3, padding="same", dilation_rate=3)
  layer(x)
  spec = tf.TensorSpec([None, None, None, C])
  y = tf.function(lambda x: layer(x), input_signature=[spec])(x)
  np.testing.assert_allclose(y, layer(x), atol=1e-5)


@pytest.mark.parametrize("rate", [1, 2, 6, 7, 10, 11, 18])
def test_gradients_are_those_of_the_convolution(rate):
  """The sum over pixels of x k dy changes with x and k as they say."""
  x, kernel = _inputs()
  dy = np.random.default_rng(1).normal(size=(B, H, W, D)).astype("float32")
  dx, dkernel = _gradients(x, kernel, rate, dy)
  for inputs, place, gradient in (
    ((x, kernel), 0, dx),
    ((x, kernel), 1, dkernel),
  ):
    direction = np.random.default_rng(2).normal(size=gradient.shape)
    moved = list(inputs)
    moved[place] = direction.astype("float32")
    expected = np.sum(_slowly(*moved, rate) * dy)
    np.testing.assert_allclose(np.sum(gradient * direction), expected, 1e-4)


def _gradients(x, kernel, rate, dy):
  x, kernel = tf.constant(x), tf.constant(kernel)
  with tf.GradientTape() as tape:
    tape.watch((x, kernel))
    y = sum_of_taps(x, kernel, rate)
  return [g.numpy() for g in tape.gradient(y, (x, kernel), dy)]


def test_gradients_have_the_types_of_their_inputs():
  x, kernel = (tf.cast(value, "bfloat16") for value in _inputs())
  with tf.GradientTape() as tape:
    tape.watch((x, kernel))
    y = sum_of_taps(x, kernel, 2)
  assert [g.dtype for g in tape.gradient(y, (x, kernel))] == 2 * [tf.bfloat16]


def test_one_place_after_the_other_is_computed(ancestors):
  """The order is that of the graph: what it leaves open, runs at once."""

  @tf.function
  def step(x, kernel):
    y = sum_of_taps(x, kernel, 2)
    return tf.gradients(y, (x, kernel))

  graph = step.get_concrete_function(*_inputs()).graph
  forward, backward = [], []
  for op in graph.get_operations():
    if op.type == "Slice":
      in_gradient = op.name.startswith("gradients")
      (backward if in_gradient else forward).append(
        _sums_among(ancestors(op), op)
      )
  assert sorted(forward) == list(range(9))
  assert sorted(backward) == [k for k in range(9) for part in ("x", "dy")]


def _sums_among(operations, op):
  """How many sums there are of the pass, forward or backward, of `op`."""
  scope = op.name.rpartition("/")[0]
  return sum(
    x.type == "AddV2" and x.name.rpartition("/")[0] == scope for x in operations
  )
