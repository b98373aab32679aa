import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.tensorflow.optimizer import TFOptimizer

from deeplab2.config import config_pb2
from deeplab2.training import fake_architecture as fake
from deeplab2.training import optimizers


def solver(**settings):
  return config_pb2.SolverOptions(**settings)


def model():
  return fake.build(fake.experiment()).model


def groups_by_name(model, **settings):
  groups = optimizers.build_parameter_groups(model, solver(**settings))
  return {group.name: group for group in groups}


def test_one_group_holds_everything_unless_a_multiplier_is_set():
  network = model()
  (group,) = groups_by_name(network).values()
  assert group.name == "all"
  assert len(group.variables) == len(network.trainable_variables)


@pytest.mark.parametrize("multiplier", [0.1, 1.0])
def test_a_multiplier_splits_and_applies_to_the_backbone_alone(multiplier):
  groups = groups_by_name(
    model(),
    base_learning_rate=0.5,
    backbone_learning_rate_multiplier=multiplier,
  )
  assert list(groups) == ["backbone", "rest"]
  assert list(groups["backbone"].variables) == ["encoder/kernel"]
  assert "norm/gamma" in groups["rest"].variables
  np.testing.assert_allclose(
    groups["backbone"].schedule(0), 0.5 * multiplier, rtol=1e-6
  )
  np.testing.assert_allclose(groups["rest"].schedule(0), 0.5, rtol=1e-6)


def test_groups_that_leave_a_variable_out_are_refused():
  network = model()
  everything = network.parameter_groups()
  network.parameter_groups = lambda: everything | {"rest": []}
  with pytest.raises(ValueError, match="in exactly one group; got 1 entries"):
    groups_by_name(network)


def test_a_model_without_variables_is_refused():
  empty = fake.ColorModel(fake.NormOptions())
  with pytest.raises(ValueError, match="it has none"):
    groups_by_name(empty)


def test_unknown_optimizer_lists_the_choices():
  with pytest.raises(ValueError) as error:
    groups_by_name(model(), optimizer="lamb")
  assert str(error.value) == (
    "solver_options.optimizer: expected one of ['adam', 'adamw', 'sgd']; got "
    "'lamb'."
  )


@pytest.mark.parametrize(
  ("name", "slots"), [("adam", 2), ("adamw", 2), ("sgd", 1)]
)
def test_state_names_every_variable_of_the_optimizer(name, slots):
  (group,) = groups_by_name(model(), optimizer=name).values()
  state = optimizers.optimizer_state(group)
  assert len(state) == 1 + slots * len(group.variables)
  for path, variable in group.variables.items():
    assert state[f"{path}/momentum"].shape == variable.shape


def test_state_that_cannot_be_named_is_refused():
  variable = keras.Variable(np.zeros(3), name="kernel")
  optimizer = keras.optimizers.Adagrad(0.1)
  optimizer.build([variable])
  group = optimizers.ParameterGroup("all", {"kernel": variable}, optimizer, 0.1)
  with pytest.raises(ValueError, match="each of its 3 variables; named 1"):
    optimizers.optimizer_state(group)


def test_adamw_decays_kernels_and_nothing_else():
  (group,) = groups_by_name(
    model(),
    optimizer="adamw",
    adamw_weight_decay=0.5,
    base_learning_rate=0.1,
    learning_policy="constant",
  ).values()
  for variable in group.variables.values():
    variable.assign(np.ones(variable.shape))
  values = list(group.variables.values())
  group.optimizer.apply([tf.zeros(v.shape) for v in values], values)
  for path, variable in group.variables.items():
    left = 0.95 if path.endswith("kernel") else 1.0
    np.testing.assert_allclose(variable.numpy(), left, err_msg=path)


def test_keras_still_sums_gradients_where_we_leave_it_out():
  # The optimizers here override it by name; a new Keras may rename it.
  assert hasattr(TFOptimizer, "_all_reduce_sum_gradients")
  for name in optimizers.OPTIMIZERS:
    optimizer = optimizers.build_optimizer(solver(optimizer=name), 0.1, "all")
    assert optimizer._all_reduce_sum_gradients([(1, 2)]) == [(1, 2)]
