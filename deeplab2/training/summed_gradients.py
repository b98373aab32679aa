"""Optimizers for gradients that are already the sum over all devices.

The step that uses them (trainer.py) sums the gradients and clips them jointly
before it applies them; Keras would clip before the sum, and per optimizer.
"""

import dataclasses

import keras
import tensorflow as tf


class _GradientsAlreadySummed:
  def _all_reduce_sum_gradients(self, grads_and_vars):
    return list(grads_and_vars)


@dataclasses.dataclass(frozen=True)
class _Shared:
  """What all updates of a step have in common, made once for them.

  A dictionary would be tracked as a part of the optimizer, and the graph that
  its tensors are of would stay with it.
  """

  beta1_power: tf.Tensor
  beta2_power: tf.Tensor
  beta1: tf.Tensor
  beta2: tf.Tensor
  epsilon: tf.Tensor

  def of_type(self, dtype) -> dict:
    return {name: tf.cast(value, dtype) for name, value in vars(self).items()}


class _OneKernel(_GradientsAlreadySummed):
  """Updates a variable in one operation, where Keras takes eight.

  A network has hundreds of small variables: on CPUs the operations, not the
  arithmetic, are what an update costs.
  """

  def _distributed_tf_update_step(self, distribution, pairs, learning_rate):
    step = tf.cast(self.iterations.value + 1, tf.float32)
    self._shared = _Shared(
      beta1_power=tf.pow(tf.constant(self.beta_1), step),
      beta2_power=tf.pow(tf.constant(self.beta_2), step),
      beta1=tf.constant(self.beta_1),
      beta2=tf.constant(self.beta_2),
      epsilon=tf.constant(self.epsilon),
    )
    super()._distributed_tf_update_step(distribution, pairs, learning_rate)
    self._shared = None

  def update_step(self, gradient, variable, learning_rate):
    index = self._get_variable_index(variable)
    tf.raw_ops.ResourceApplyAdam(
      var=_handle(variable),
      m=_handle(self._momentums[index]),
      v=_handle(self._velocities[index]),
      grad=tf.cast(gradient, variable.dtype),
      lr=tf.cast(learning_rate, variable.dtype),
      **self._shared.of_type(variable.dtype),
    )


def _handle(variable):
  """The resource of a variable on the device that is being updated."""
  if isinstance(variable, keras.Variable):
    variable = variable.value
  return variable.handle


class Adam(_OneKernel, keras.optimizers.Adam):
  """Adam (Kingma and Ba, 2015)."""


class AdamW(_OneKernel, keras.optimizers.AdamW):
  """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""


class SGD(_GradientsAlreadySummed, keras.optimizers.SGD):
  """Stochastic gradient descent."""
