import keras
import numpy as np
import orbit
import pytest
import tensorflow as tf

from deeplab2.training import checkpoints, optimizers, replay
from deeplab2.training import fake_architecture as fake
from deeplab2.training.trainer import StepOptions, Trainer

BATCH_SIZE = 4


@pytest.fixture
def architecture(one_device):
  keras.utils.set_random_seed(0)
  with one_device.scope():
    yield fake.build(fake.experiment())


def look(architecture, batch=None):
  return replay.replay_step(
    architecture,
    batch or fake.batch(0, BATCH_SIZE),
    0,
    seed=0,
  )


def with_loss(architecture, change):
  """The architecture with another loss, `change(terms, prediction)`."""

  def loss(prediction, targets, seed=None):
    terms = change(fake.loss(prediction, targets, seed), prediction)
    return terms | {"total_loss": terms["mask_loss"] + terms["class_loss"]}

  return fake.build_around(architecture.model, loss=loss)


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_it_computes_what_the_step_computed_and_changes_nothing(
  architecture, micro_batches
):
  state = checkpoints.model_state(architecture.model)
  before = {n: checkpoints.value_of(v) for n, v in state.items()}
  batches = [fake.batch(step, BATCH_SIZE) for step in range(micro_batches)]
  found = replay.replay_step(
    architecture,
    tf.nest.map_structure(lambda *x: tf.concat(x, axis=0), *batches),
    0,
    seed=0,
    micro_batches=micro_batches,
  )
  for name, variable in state.items():
    np.testing.assert_array_equal(
      checkpoints.value_of(variable), before[name], err_msg=name
    )
  experiment = fake.experiment()
  trainer = Trainer(
    architecture,
    optimizers.build_parameter_groups(
      architecture.model, experiment.trainer_options.solver_options
    ),
    fake.train_batches(experiment.train_dataset_options),
    orbit.utils.create_global_step(),
    StepOptions(batch_size=BATCH_SIZE, micro_batches=micro_batches),
  )
  means = trainer.train(tf.constant(1))
  for name, value in found.terms.items():
    np.testing.assert_allclose(value, means[name], rtol=1e-6, err_msg=name)


def test_nothing_is_found_where_all_is_well(architecture):
  found = look(architecture)
  assert [row.path for row in found.layers] == [
    "image",
    "encoder",
    "norm",
    "mask_layer",
    "class_layer",
  ]
  assert all(row.gradient.finite for row in found.layers + found.variables)
  assert found.findings()[0].startswith("everything is finite here")


def test_a_bad_weight_is_found_before_all_else(architecture):
  architecture.model.mask_layer.bias.assign([0, np.inf, 0, 0])
  assert look(architecture).findings() == [
    "not finite before the step already: mask_layer/bias"
  ]


def test_the_first_layer_that_overflows_is_found(architecture):
  model = architecture.model
  model.class_layer.kernel.assign(model.class_layer.kernel + 3e38)
  assert look(architecture).findings() == [
    "first output not finite: class_layer (Dense), 1 of 5 in all"
  ]


def test_a_bad_image_is_found(architecture):
  batch = fake.batch(0, BATCH_SIZE)
  found = look(architecture, batch._replace(image=batch.image * np.inf))
  assert found.findings()[0].startswith("first output not finite: the image")


def test_a_term_that_is_not_finite_by_itself_is_named(architecture):
  lame = with_loss(
    architecture, lambda terms, _: terms | {"mask_loss": tf.math.log([-1.0])}
  )
  assert look(lame).findings() == [
    "all outputs of layers are finite; the loss itself is not: mask_loss,"
    " total_loss"
  ]


def test_a_gradient_that_is_not_finite_is_followed_to_its_layer(architecture):
  def change(terms, prediction):
    zeros = prediction.class_logits - tf.stop_gradient(prediction.class_logits)
    # The root has no slope at zero.
    return terms | {"class_loss": tf.reduce_sum(tf.sqrt(zeros**2), (1, 2))}

  found = look(with_loss(architecture, change))
  assert all(np.isfinite(list(found.terms.values())))
  first, second, third = found.findings()
  assert first == "gradient not finite of: class_loss"
  assert second == (
    "first gradient not finite, going backward: that of the output of"
    " class_layer (Dense)"
  )
  assert third.startswith("gradients not finite of variables: encoder/kernel")


def test_the_table_has_a_line_a_term_a_layer_and_a_variable(architecture):
  model = architecture.model
  model.class_layer.kernel.assign(model.class_layer.kernel + 3e38)
  lines = replay.table(look(architecture)).splitlines()
  assert sum(line.startswith("class_layer") for line in lines) == 3
  (row,) = [line for line in lines if line.endswith("Dense")]
  assert "NOT FINITE" in row
  assert "4x1x3" in row
