import keras
import numpy as np
import pytest

from deeplab2 import cpu_kernels
from deeplab2.layers import pointwise as module
from deeplab2.layers.pointwise import pointwise

tf = pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
  pytest.skip("TensorFlow has a choice of kernels", allow_module_level=True)

B, H, W, C, D = 2, 7, 11, 3, 5


@pytest.fixture(params=["product", "convolution", "other backend"])
def way(request, monkeypatch):
  """Each way there is, whichever the layer would take."""
  convolves = request.param == "convolution"
  monkeypatch.setattr(module, "_convolves", lambda *arguments: convolves)
  if request.param == "other backend":  # its product, taken by this one
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")


def _random(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.mark.parametrize("places", [(H, W), (H,)])
@pytest.mark.parametrize("shifted", [True, False])
def test_every_place_is_multiplied_and_shifted(way, places, shifted):
  x, kernel = _random(B, *places, C), _random(C, D, seed=1)
  bias = _random(D, seed=2) if shifted else None
  y = keras.ops.convert_to_numpy(pointwise(_tensor(x), _tensor(kernel), bias))
  assert y.shape == (B, *places, D)
  for place in np.ndindex(B, *places):
    expected = kernel.T @ x[place] + (bias if shifted else 0)
    np.testing.assert_allclose(y[place], expected, atol=1e-5)


def test_the_axes_of_a_window_make_no_difference(way):
  x, kernel = _tensor(_random(B, H, W, C)), _random(1, 1, C, D)
  np.testing.assert_array_equal(
    pointwise(x, _tensor(kernel)), pointwise(x, _tensor(kernel[0, 0]))
  )


def test_unknown_sizes_are_served_too(way):
  x, kernel = _random(B, H, W, C), _random(C, D, seed=1)
  spec = tf.TensorSpec([None, None, None, C])
  y = tf.function(lambda x: pointwise(x, kernel), input_signature=[spec])(x)
  np.testing.assert_allclose(y, x @ kernel, atol=1e-5)


@pytest.mark.parametrize(
  "dtype, channels, shifted, operation",
  [
    ("float32", (512, 1024), True, "MatMul"),
    ("float32", (512, 1023), True, "Conv2D"),
    ("float32", (C, D), False, "MatMul"),
    ("bfloat16", (512, 1024), True, "Conv2D"),
    ("bfloat16", (C, D), False, "MatMul"),
  ],
)
def test_the_way_that_is_faster(
  dtype, channels, shifted, operation, monkeypatch
):
  monkeypatch.setattr(cpu_kernels, "in_use", lambda: True)
  assert _operation(dtype, channels, shifted) == operation


@pytest.mark.parametrize(
  "window, operation", [((), "MatMul"), ((1, 1), "Conv2D")]
)
def test_accelerators_do_what_they_are_given(window, operation, monkeypatch):
  monkeypatch.setattr(cpu_kernels, "in_use", lambda: False)
  assert _operation("float32", (C, D), False, window) == operation


def _operation(dtype, channels, shifted, window=()):
  """What TensorFlow does for a kernel."""
  c, d = channels
  arguments = [(B, H, W, c), (*window, c, d), *([(d,)] if shifted else [])]
  graph = tf.function(pointwise).get_concrete_function(
    *(tf.TensorSpec(shape, dtype) for shape in arguments)
  )
  kinds = {op.type for op in graph.graph.get_operations()}
  assert ("BiasAdd" in kinds) == shifted
  (operation,) = kinds & {"MatMul", "Conv2D"}
  return operation


def _tensor(x):
  return keras.ops.convert_to_tensor(x)
