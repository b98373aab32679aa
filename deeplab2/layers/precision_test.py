import keras
import pytest

from deeplab2.layers.precision import precision_of_layers


def test_layers_made_within_have_the_precision():
  with precision_of_layers("mixed_bfloat16"):
    layer = keras.layers.Dense(1)
  assert layer.compute_dtype == "bfloat16"
  assert layer.variable_dtype == "float32"


def test_the_policy_outside_is_as_before():
  before = keras.config.dtype_policy().name
  with (
    pytest.raises(RuntimeError),
    precision_of_layers("mixed_bfloat16"),
  ):
    raise RuntimeError
  assert keras.config.dtype_policy().name == before


def test_an_unknown_precision_is_refused():
  with pytest.raises(ValueError) as error, precision_of_layers("float16"):
    pass
  assert str(error.value) == (
    "precision: expected one of ['float32', 'mixed_bfloat16']; got 'float16'."
  )
