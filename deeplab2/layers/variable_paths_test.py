import keras
import pytest

from deeplab2.layers.variable_paths import variables_by_path


class Part(keras.layers.Layer):
  def __init__(self):
    super().__init__()
    self.conv = keras.layers.Conv2D(2, 1)
    self.batch_norm = keras.layers.BatchNormalization()

  def build(self, shape):
    self.conv.build(shape)
    self.batch_norm.build((*shape[:-1], 2))
    self.table = self.add_weight(name="embeddings", shape=(3, 2))


class Whole(keras.Model):
  def __init__(self, **parts):
    super().__init__()
    for name, part in parts.items():
      setattr(self, name, part)
    self.built = True


def _built_part():
  part = Part()
  part.build((None, 5, 5, 3))
  part.built = True
  return part


def test_paths_are_attributes_and_end_in_the_name_of_the_variable():
  model = Whole(head=_built_part())
  paths = variables_by_path(model)
  assert sorted(paths) == [
    "head/batch_norm/beta",
    "head/batch_norm/gamma",
    "head/batch_norm/moving_mean",
    "head/batch_norm/moving_variance",
    "head/conv/bias",
    "head/conv/kernel",
    "head/embeddings",
  ]
  assert paths["head/embeddings"] is model.head.table


def test_paths_do_not_depend_on_what_was_made_before():
  first = variables_by_path(Whole(a=_built_part()))
  second = variables_by_path(Whole(a=_built_part()))
  assert list(first) == list(second)


def test_layers_in_a_list_are_an_error_and_not_lost():
  with pytest.raises(ValueError, match=r"not reached \['.*kernel'"):
    variables_by_path(Whole(parts=[_built_part()], good=_built_part()))


def test_a_layer_under_two_names_is_an_error():
  part = _built_part()
  with pytest.raises(ValueError, match=r"reached twice \['a/batch_norm/beta'"):
    variables_by_path(Whole(a=part, b=part))
