"""Our variables are one to one with the keys of the original's checkpoints."""

import math

import keras
import pytest

from deeplab2.backbones.axial_resnet import AxialResNet
from deeplab2.backbones.max_deeplab_plans import max_deeplab_plan
from deeplab2.backbones.stage_factory import Scaling
from deeplab2.interop.original_keys import original_key, our_path
from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.variable_paths import variables_by_path
from tests.parity.recordings import shapes_by_key

COUNTS = {"max_s": 907, "max_l": 1672}
PARAMETERS = {"max_s": 77_990_256, "max_l": 451_622_800}


def sizes(shapes):
  return [math.prod(shape) for shape in shapes.values()]


@pytest.mark.parametrize("name", COUNTS)
def test_the_rule_of_names_works_both_ways(name):
  shapes = shapes_by_key(name)
  assert len(shapes) == COUNTS[name]
  assert sum(sizes(shapes)) == PARAMETERS[name]
  paths = [our_path(key) for key in shapes]
  assert len(set(paths)) == COUNTS[name]
  assert [original_key(path) for path in paths] == list(shapes)
  assert not any(part.startswith("_") for p in paths for part in p.split("/"))


def test_variables_of_small_are_those_of_the_original(small):
  ours = {
    original_key(path): tuple(variable.shape)
    for path, variable in variables_by_path(small.model).items()
  }
  assert ours == shapes_by_key("max_s")
  groups = small.model.parameter_groups()
  assert count(small.model.trainable_variables) == 77_756_942
  assert len(groups["backbone"]) == 301
  assert count(groups["backbone"]) == 41_343_424


def count(variables):
  return sum(math.prod(variable.shape) for variable in variables)


def test_keys_of_the_large_encoder():
  """On a narrow one, which has the same keys."""
  plan = max_deeplab_plan(
    "max_deeplab_l", Scaling(width=0.0625, transformer_expansion=0.25)
  )
  encoder = AxialResNet(plan, NormOptions())
  encoder(keras.ops.zeros((1, 33, 33, 3)))
  ours = {
    original_key(f"encoder/{path}") for path in variables_by_path(encoder)
  }
  keys = shapes_by_key("max_l")
  assert ours == {key for key in keys if key.startswith("encoder/")}
