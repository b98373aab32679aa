import keras
import numpy as np
import pytest
import tensorflow as tf

from deeplab2.training import summed_gradients

SHAPES = ((2, 3), (5,), (7, 1, 3))
# The kernel takes 1 - 0.999 in float32, which is 4.7e-5 off; Keras does not.
ROUNDING = 1e-4


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
  def __call__(self, step):
    return 0.1 / (1.0 + tf.cast(step, tf.float32))


def weights_after(make, steps=4):
  variables = [
    keras.Variable(np.random.default_rng(i).normal(size=shape))
    for i, shape in enumerate(SHAPES)
  ]
  optimizer = make(Schedule())
  optimizer.build(variables)

  @tf.function
  def step(*gradients):
    optimizer.apply(gradients, variables)

  for seed in range(steps):
    rng = np.random.default_rng(100 + seed)
    step(*(tf.constant(rng.normal(size=s), tf.float32) for s in SHAPES))
  slots = [v.numpy() for v in optimizer.variables[1:]]
  return [v.numpy() for v in variables] + slots


@pytest.mark.parametrize(
  "name, options",
  [
    ("Adam", {}),
    ("Adam", {"beta_1": 0.7, "beta_2": 0.9, "epsilon": 0.01}),
    ("AdamW", {"weight_decay": 0.05}),
    ("SGD", {"momentum": 0.9}),
  ],
)
def test_updates_as_keras_does(name, options):
  ours = weights_after(
    lambda rate: getattr(summed_gradients, name)(rate, **options)
  )
  theirs = weights_after(
    lambda rate: getattr(keras.optimizers, name)(rate, **options)
  )
  for actual, expected in zip(ours, theirs, strict=True):
    np.testing.assert_allclose(actual, expected, rtol=ROUNDING, atol=1e-6)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD"])
def test_gradients_are_not_summed_again(name, two_devices):
  """Replicas apply the sum that each of them already has."""
  with two_devices.scope():
    variable = keras.Variable(np.ones(3))
    optimizer = getattr(summed_gradients, name)(0.5)
    optimizer.build([variable])

    @tf.function
    def step():
      two_devices.run(
        lambda: optimizer.apply([tf.constant([1.0, 2.0, 3.0])], [variable])
      )

    step()
  alone = keras.Variable(np.ones(3))
  optimizer = getattr(keras.optimizers, name)(0.5)
  optimizer.apply([tf.constant([1.0, 2.0, 3.0])], [alone])
  np.testing.assert_allclose(
    variable.numpy(), alone.numpy(), rtol=ROUNDING, atol=1e-6
  )
