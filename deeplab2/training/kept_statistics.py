"""What a forward pass changes, kept so that a step can be taken back."""

import math

import tensorflow as tf


class KeptStatistics:
  """A copy of a model's statistics of batches, from before a step.

  Each device has its own copy of its own statistics, which on several devices
  may differ while a step is on its way. All of them are one vector: a variable
  for each would cost every graph around the step operations of its own.
  """

  def __init__(self, strategy, variables):
    """Made in the scope of the strategy; `keep` comes before the first step.

    Args:
      strategy: that of the variables.
      variables: Keras variables of float32, those that a forward pass writes.
    """
    self._local = strategy.experimental_local_results
    self._variables = list(variables)
    self._sizes = [math.prod(v.shape) for v in self._variables]
    self._copy = tf.Variable(
      _joined(self._local(v.value)[0] for v in self._variables),
      trainable=False,
      synchronization=tf.VariableSynchronization.ON_READ,
      aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )

  def keep(self) -> None:
    """Notes the values of this device, in the replica context."""
    self._copy.assign(_joined(v.value for v in self._variables))

  def restore(self) -> None:
    """Takes this device back to what it kept, in the replica context."""
    values = self._apart(self._copy.read_value())
    for variable, value in zip(self._variables, values, strict=True):
      variable.assign(value)

  def restore_from_outside(self) -> None:
    """Takes back all devices of this host, outside of any graph.

    Each device for itself: other hosts may have ended by now.
    """
    copies = [self._apart(copy) for copy in self._local(self._copy)]
    for variable, *values in zip(self._variables, *copies, strict=True):
      for one, value in zip(self._local(variable.value), values, strict=True):
        one.assign(value)

  def _apart(self, copy):
    """The value of each variable from the vector of all."""
    flat = tf.split(copy, self._sizes) if self._sizes else []
    return [
      tf.reshape(value, variable.shape)
      for value, variable in zip(flat, self._variables, strict=True)
    ]


def _joined(values):
  """All values in one vector."""
  flat = [tf.reshape(value, (-1,)) for value in values]
  return tf.concat([tf.zeros(0), *flat], axis=0)  # there may be none
