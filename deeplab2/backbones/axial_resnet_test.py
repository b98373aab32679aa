import keras
import numpy as np
import pytest

from deeplab2.backbones.axial_resnet import AxialResNet
from deeplab2.backbones.max_deeplab_plans import (
  classifier_plan,
  max_deeplab_plan,
)
from deeplab2.backbones.stage_factory import Scaling
from deeplab2.layers.batch_norm import NormOptions

B, N, D = 3, 5, 24
SEED = np.array([3, 5], "int32")


def tiny_plan(name="max_deeplab_s", **scaling):
  return max_deeplab_plan(
    name,
    Scaling(
      width=0.125,
      stem_width=0.25,
      depth=0.5,
      transformer_expansion=0.25,
      **scaling,
    ),
    num_mask_slots=N,
    memory_channels=D,
    ffn_channels=32,
  )


def _image(height=33, width=49, seed=0):
  rng = np.random.default_rng(seed)
  return rng.uniform(-1, 1, (B, height, width, 3)).astype("float32")


def _open(layer):
  """Sets zero gammas to one, so that branches have weight."""
  for variable in layer.trainable_variables:
    if variable.name == "gamma":
      variable.assign(np.ones(variable.shape))


@pytest.fixture(scope="module")
def network():
  net = AxialResNet(
    tiny_plan(drop_path_rate=0.5, drop_path_schedule="linear"), NormOptions()
  )
  net(_image())
  _open(net)
  return net


def test_every_stage_is_at_its_stride(network):
  maps = network(_image()).maps
  for stage in network.plan.stages:
    size = (32 // stage.stride + 1, 48 // stage.stride + 1)
    assert maps[stage.name].shape == (B, *size, stage.channels)


def test_memory_has_the_slots_of_the_plan(network):
  features = network(_image())
  assert features.memory.shape == (B, N, D)
  assert features.class_feature.shape == (B, N, 256)
  assert features.mask_feature.shape == (B, N, 256)
  assert network.memory_feature.shape == (1, 128, D)


def test_one_instance_serves_every_size(network):
  count = len(network.variables)
  maps = network(_image(17, 65)).maps
  assert maps["decoder_stage2_extra"].shape[1:3] == (5, 17)
  assert len(network.variables) == count


def test_samples_do_not_see_one_another_in_evaluation(network):
  image = _image()
  whole = network(image)
  alone = network(image[1:2])
  # Batches of other sizes may be summed up in another order.
  np.testing.assert_allclose(
    whole.memory[1], alone.memory[0], rtol=1e-3, atol=5e-3
  )


def test_drop_path_needs_training_and_a_seed(network):
  image = _image()
  plain = network(image).memory
  np.testing.assert_array_equal(plain, network(image, seed=SEED).memory)
  before = [np.array(v) for v in network.variables]
  trained = np.array(network(image, training=True).memory)
  dropped = np.array(network(image, training=True, seed=SEED).memory)
  again = np.array(network(image, training=True, seed=SEED).memory)
  for variable, value in zip(network.variables, before, strict=True):
    variable.assign(value)
  assert np.abs(trained - dropped).max() > 1e-3
  np.testing.assert_array_equal(dropped, again)


def test_samples_are_dropped_apart():
  """Three copies of one image part ways through drop path alone."""
  net = AxialResNet(tiny_plan(drop_path_rate=0.5), NormOptions())
  image = np.repeat(_image()[:1], B, axis=0)
  net(image)
  _open(net)
  same = np.array(net(image, training=True).memory)
  np.testing.assert_allclose(same[0], same[1], atol=1e-4)
  apart = np.array(net(image, training=True, seed=SEED).memory)
  assert np.abs(apart[0] - apart[1]).max() > 1e-3


def test_recomputing_changes_nothing_but_memory_use():
  plan = tiny_plan(drop_path_rate=0.5)
  plain = AxialResNet(plan, NormOptions())
  again = AxialResNet(plan, NormOptions(), recomputes=True)
  image = _image()
  plain(image)
  again(image)
  _open(plain)
  for target, source in zip(again.variables, plain.variables, strict=True):
    target.assign(source)
  a = plain(image, training=True, seed=SEED)
  b = again(image, training=True, seed=SEED)
  np.testing.assert_allclose(a.memory, b.memory, atol=1e-5)
  for target, source in zip(again.variables, plain.variables, strict=True):
    np.testing.assert_allclose(target, source, atol=1e-5, err_msg=source.path)


@pytest.mark.parametrize("name", ["max_deeplab_s", "max_deeplab_l"])
def test_backbone_variables_are_those_of_the_classifier(name):
  whole = AxialResNet(tiny_plan(name), NormOptions())
  classifier = AxialResNet(classifier_plan(tiny_plan(name)), NormOptions())
  whole(_image())
  features = classifier(_image())
  assert features.memory is None
  shapes = [tuple(v.shape) for v in whole.backbone_variables()]
  assert sorted(shapes) == sorted(
    tuple(v.shape) for v in classifier.trainable_variables
  )


def test_a_width_that_the_heads_cannot_share_is_refused():
  plan = max_deeplab_plan("max_deeplab_s", Scaling(width=0.02))
  with pytest.raises(ValueError, match="multiple of the 8 heads"):
    AxialResNet(plan, NormOptions())


def test_all_of_a_new_network_is_finite_in_bfloat16():
  before = keras.config.dtype_policy()
  keras.config.set_dtype_policy("mixed_bfloat16")
  try:
    net = AxialResNet(tiny_plan(), NormOptions())
    features = net(_image(), training=True)
  finally:
    keras.config.set_dtype_policy(before)
  assert keras.backend.standardize_dtype(features.memory.dtype) == "bfloat16"
  assert np.isfinite(keras.ops.cast(features.memory, "float32")).all()
