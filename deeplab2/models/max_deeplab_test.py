import keras
import numpy as np
import pytest
from google.protobuf import text_format

from deeplab2.backbones.max_deeplab_plans import max_deeplab_plan
from deeplab2.backbones.stage_factory import Scaling
from deeplab2.config.config_pb2 import ExperimentOptions
from deeplab2.datasets import load_dataset
from deeplab2.heads.semantic_decoder import DecoderOptions
from deeplab2.interop.original_keys import original_key
from deeplab2.layers.variable_paths import variables_by_path
from deeplab2.models.max_deeplab import (
  HeadOptions,
  MaXDeepLab,
  SemanticBranch,
  build_max_deeplab,
)

B, N, C, S, E = 3, 5, 7, 11, 13
SEED = np.array([3, 5], "int32")


def _model(member="max_deeplab_s", drop_path_rate=0.0, **options):
  plan = max_deeplab_plan(
    member,
    Scaling(
      width=0.125,
      stem_width=0.25,
      depth=0.34,
      transformer_expansion=0.25,
      drop_path_rate=drop_path_rate,
    ),
    num_mask_slots=N,
    memory_channels=24,
    ffn_channels=32,
  )
  model = MaXDeepLab(
    plan,
    num_class_channels=C,
    pixel_head=HeadOptions(outputs=E, channels=16),
    semantic=SemanticBranch(
      decoder=DecoderOptions(
        channels=16, aspp_channels=8, low_level_channels=(8, 4)
      ),
      head=HeadOptions(outputs=S, channels=16),
    ),
    **options,
  )
  model(np.zeros((1, 33, 33, 3), "float32"))
  _open(model)
  return model


def _open(model):
  """Sets zero gammas to one, so that branches have weight."""
  for variable in model.trainable_variables:
    if variable.name == "gamma" and "mask_batch_norm" not in variable.path:
      variable.assign(np.ones(variable.shape))


def _image(height=33, width=49, seed=0):
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (B, height, width, 3)).astype("uint8")


@pytest.fixture(scope="module")
def model():
  return _model()


@pytest.mark.parametrize("height, width", [(33, 49), (17, 17), (49, 17)])
def test_one_instance_serves_every_size(model, height, width):
  prediction = model(_image(height, width))
  size = ((height - 1) // 4 + 1, (width - 1) // 4 + 1)
  assert prediction.mask_logits.shape == (B, *size, N)
  assert prediction.class_logits.shape == (B, N, C)
  assert prediction.pixel_features.shape == (B, *size, E)
  assert prediction.semantic_logits.shape == (B, *size, S)


@pytest.mark.parametrize(
  "shape, message",
  [
    ((1, 32, 33, 3), "image height: expected 16*k + 1, such as 641; got 32."),
    ((1, 33, 40, 3), "image width: expected 16*k + 1, such as 641; got 40."),
    ((1, 1, 33, 3), "image height: expected 16*k + 1, such as 641; got 1."),
  ],
)
def test_other_sizes_are_refused(model, shape, message):
  with pytest.raises(ValueError) as error:
    model(np.zeros(shape, "float32"))
  assert message in str(error.value)


def test_bytes_and_floats_are_the_same_image(model):
  image = _image()
  for a, b in zip(model(image), model(image.astype("float32")), strict=True):
    np.testing.assert_array_equal(a, b)


def test_the_semantic_branch_can_be_left_out(model):
  whole = model(_image())
  masks = model(_image(), auxiliary=False)
  assert masks.semantic_logits is None
  np.testing.assert_array_equal(masks.mask_logits, whole.mask_logits)


def test_samples_do_not_see_one_another(model):
  image = _image()
  whole, alone = model(image), model(image[1:2])
  for a, b in zip(whole, alone, strict=True):
    np.testing.assert_allclose(a[1:2], b, atol=1e-4)


@pytest.mark.parametrize("member", ["max_deeplab_s", "max_deeplab_l"])
def test_groups_hold_each_trainable_variable_once(member):
  model = _model(member)
  groups = model.parameter_groups()
  ids = [id(v) for group in groups.values() for v in group]
  assert sorted(ids) == sorted(id(v) for v in model.trainable_variables)
  backbone = {id(v) for v in groups["backbone"]}
  for path, variable in variables_by_path(model).items():
    new = not path.startswith("encoder/") or any(
      word in path for word in ("extra", "transformer", "memory_feature")
    )
    if variable.trainable:
      assert (id(variable) in backbone) == (not new), path


def test_every_variable_has_a_key_of_its_own(model):
  paths = variables_by_path(model)
  assert len({original_key(path) for path in paths}) == len(model.variables)


@pytest.mark.parametrize("training", [False, True])
def test_every_trainable_variable_has_a_gradient(training):
  tf = pytest.importorskip("tensorflow")
  model = _model()
  with tf.GradientTape() as tape:
    outputs = model(_image(), training=training)
    loss = tf.add_n([tf.reduce_mean(tf.square(x)) for x in outputs])
  variables = {
    path: variable.value
    for path, variable in variables_by_path(model).items()
    if variable.trainable
  }
  for path, gradient in tape.gradient(loss, variables).items():
    if not training and path.endswith("batch_norm_similarity/beta"):
      continue  # a softmax does not see what is alike for all keys
    assert isinstance(gradient, tf.Tensor), path
    assert np.isfinite(gradient).all(), path


def test_randomness_needs_training_and_a_seed():
  model = _model(drop_path_rate=0.5)
  image = _image()
  before = [np.array(v) for v in model.variables]
  plain = model(image).semantic_logits
  np.testing.assert_array_equal(plain, model(image, seed=SEED).semantic_logits)

  def trained(seed):
    y = model(image, training=True, seed=seed).semantic_logits
    for variable, value in zip(model.variables, before, strict=True):
      variable.assign(value)
    return np.array(y)

  np.testing.assert_array_equal(trained(SEED), trained(SEED))
  assert np.abs(trained(SEED) - trained(SEED + 1)).max() > 1e-3
  assert np.abs(trained(SEED) - trained(None)).max() > 1e-3


def test_it_holds_no_state_but_weights_and_averages(model):
  """Random numbers come from the seed, so a checkpoint is the whole state."""
  names = {path.split("/")[-1] for path in variables_by_path(model)}
  assert names == {
    "beta",
    "bias",
    "embeddings",
    "gamma",
    "kernel",
    "memory_feature",
    "moving_mean",
    "moving_variance",
    "qkv_kernel",
  }


def test_mixed_precision_predicts_in_float32():
  model = _model(precision="mixed_bfloat16")
  exact = _model()
  for variable, source in zip(model.variables, exact.variables, strict=True):
    variable.assign(source)
  for a, b in zip(model(_image()), exact(_image()), strict=True):
    assert keras.backend.standardize_dtype(a.dtype) == "float32"
    a, b = np.array(a), np.array(b)
    assert np.abs(a - b).mean() < 0.1 * np.abs(b).mean() + 0.02
  assert {v.dtype for v in model.variables} == {"float32"}
  assert keras.config.dtype_policy().name == "float32"


def test_a_graph_serves_sizes_that_it_does_not_know(model):
  tf = pytest.importorskip("tensorflow")
  spec = tf.TensorSpec([None, None, None, 3], tf.uint8)
  predict = tf.function(lambda image: model(image), input_signature=[spec])
  for height, width in ((33, 49), (49, 17)):
    image = _image(height, width)
    for a, b in zip(predict(image), model(image), strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


def test_recomputing_changes_no_gradient_but_what_is_kept_for_them():
  """With the backward pass as all that depends on the loss's own gradient."""
  tf = pytest.importorskip("tensorflow")
  if keras.backend.backend() != "tensorflow":
    pytest.skip("gradients are taken with TensorFlow")
  image = tf.constant(_image())

  def learn(recomputes):
    keras.utils.set_random_seed(0)
    model = _model(drop_path_rate=0.5, recomputes=recomputes)
    for i, variable in enumerate(model.trainable_variables):
      noise = tf.random.stateless_normal(variable.shape, (i, 7))
      variable.assign(variable + 0.1 * noise)

    @tf.function
    def step(image, late):
      with tf.GradientTape() as tape:
        prediction = model(image, training=True, seed=SEED)
        total = sum(tf.reduce_mean(x * x) for x in prediction)
      sources = [v.value for v in model.trainable_variables]
      return total, tape.gradient(total, sources, late)

    step = step.get_concrete_function(image, tf.ones(()))
    total, gradients = step(image, tf.ones(()))
    return (
      [total, *gradients, *model.non_trainable_variables],
      _bytes_kept_for(step.graph.inputs[1], step.graph),
    )

  (once, kept), (twice, kept_again) = learn(False), learn(True)
  largest = max(np.abs(g).max() for g in once)
  for a, b in zip(once, twice, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5 * largest)
  assert kept_again < 0.4 * kept


def _bytes_kept_for(late, graph):
  """Of tensors of known size that only what depends on `late` still takes."""
  behind = {late.op}
  kept = {}
  for op in graph.get_operations():
    if any(x.op in behind for x in op.inputs):
      behind.add(op)
      for x in map(_unshaped, op.inputs):
        if x.op not in behind and x.op.type not in ("Const", "ReadVariableOp"):
          kept[x.name] = x.dtype.size * (x.shape.num_elements() or 0)
  return sum(kept.values())


def _unshaped(x):
  """What a tensor was before it was reshaped, which takes no memory."""
  while x.op.type == "Reshape":
    x = x.op.inputs[0]
  return x


EXPERIMENT = """
model_options {
  backbone {
    name: "max_deeplab_s" output_stride: 16
    stem_width_multiplier: 0.25 backbone_width_multiplier: 0.25
    backbone_layer_multiplier: 0.34
    num_mask_slots: 16 memory_channels: 40
    transformer_expansion: 0.25 transformer_ffn_channels: 48
    drop_path_keep_prob: 0.8 drop_path_schedule: "linear"
    recompute_grad: true
  }
  decoder {
    feature_key: "feature_semantic" decoder_channels: 24 aspp_channels: 16
    atrous_rates: 1 atrous_rates: 2 atrous_rates: 3
  }
  max_deeplab {
    pixel_space_head { output_channels: 32 head_channels: 16 }
    auxiliary_low_level { feature_key: "res3" channels_project: 12 }
    auxiliary_semantic_head {
      output_channels: 134 head_channels: 16 head_conv_type: "standard_conv"
    }
  }
}
trainer_options {
  precision: "mixed_bfloat16"
  solver_options {
    use_sync_batchnorm: true batchnorm_momentum: 0.9 batchnorm_epsilon: 0.01
  }
}
train_dataset_options { crop_size: 129 crop_size: 193 }
"""


@pytest.fixture(scope="module")
def configured():
  experiment = text_format.Parse(EXPERIMENT, ExperimentOptions())
  return build_max_deeplab(experiment, load_dataset("coco_panoptic"))


def test_every_field_of_a_config_arrives(configured):
  plan = configured.plan
  encoder = configured.encoder
  norm = encoder.norm
  assert (plan.memory_slots, plan.memory_channels) == (16, 40)
  assert plan.ffn_channels == 48
  assert plan.stem_width == 0.25
  assert [len(stage.blocks) for stage in plan.stages[:4]] == [1, 1, 2, 1]
  assert plan.stages[3].channels == 512
  assert plan.stages[3].blocks[0].transformer == 32
  np.testing.assert_allclose(plan.stages[4].blocks[0].drop_rate, 0.2)
  assert (
    configured.recomputes and encoder.recomputes and encoder.stage4.recomputes
  )
  assert norm.synchronized
  np.testing.assert_allclose((norm.momentum, norm.epsilon), (0.9, 0.01))
  decoder = configured.semantic_decoder
  assert decoder.aspp.aspp_pool.pool_size == (9, 13)
  assert decoder.aspp.aspp_conv3.conv_bn_act.conv.dilation_rate == (3, 3)
  assert decoder.aspp.conv_bn_act.conv.filters == 16
  assert decoder.low_level_conv1.conv.filters == 12
  assert not hasattr(decoder, "low_level_conv2")
  assert decoder.fusion_conv1.conv1_bn_act.pointwise.conv.filters == 24
  assert configured.semantic_head.conv_block.conv1_bn_act.conv.filters == 16
  assert configured.encoder.compute_dtype == "bfloat16"
  assert configured.name == "max_deeplab"


def test_a_configured_model_is_built_for_its_dataset(configured):
  prediction = configured(_image())
  assert prediction.class_logits.shape == (B, 16, 134)
  assert prediction.semantic_logits.shape == (B, 5, 7, 134)
  assert prediction.pixel_features.shape == (B, 9, 13, 32)


def test_unset_widths_are_those_of_the_architecture():
  experiment = text_format.Parse(EXPERIMENT, ExperimentOptions())
  backbone = experiment.model_options.backbone
  backbone.ClearField("memory_channels")
  backbone.ClearField("transformer_expansion")
  model = build_max_deeplab(experiment, load_dataset("coco_panoptic"))
  assert model.plan.memory_channels == 256
  assert model.plan.stages[3].blocks[0].transformer == 128


def test_a_width_that_fits_no_heads_is_refused_by_name():
  experiment = text_format.Parse(EXPERIMENT, ExperimentOptions())
  experiment.model_options.backbone.backbone_width_multiplier = 0.1
  with pytest.raises(ValueError, match="axial attention key depth: expected a"):
    build_max_deeplab(experiment, load_dataset("coco_panoptic"))
