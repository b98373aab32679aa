"""What a forward pass changes, kept so that a step can be taken back."""

import tensorflow as tf


class KeptStatistics:
  """Copies of a model's statistics of batches, from before a step.

  Each device has its own copy of its own statistics, which on several devices
  may differ while a step is on its way.
  """

  def __init__(self, strategy, variables):
    """Made in the scope of the strategy; `keep` comes before the first step.

    Args:
      strategy: that of the variables.
      variables: Keras variables, those that a forward pass writes.
    """
    self._strategy = strategy
    self._variables = list(variables)
    self._copies = [_copy_of(variable) for variable in self._variables]

  def keep(self) -> None:
    """Notes the values of this device, in the replica context."""
    for variable, copy in self._pairs():
      copy.assign(variable.value)

  def restore(self) -> None:
    """Takes this device back to what it kept, in the replica context."""
    for variable, copy in self._pairs():
      variable.assign(copy.read_value())

  def restore_from_outside(self) -> None:
    """Takes back all devices of this host, outside of any graph.

    Each device for itself: other hosts may have ended by now.
    """
    for variable, copy in self._pairs():
      for one, value in zip(
        self._strategy.experimental_local_results(variable.value),
        self._strategy.experimental_local_results(copy),
        strict=True,
      ):
        one.assign(value)

  def _pairs(self):
    return zip(self._variables, self._copies, strict=True)


def _copy_of(variable):
  """A variable of the same value, which each device writes for itself."""
  return tf.Variable(
    variable.numpy(),
    trainable=False,
    synchronization=tf.VariableSynchronization.ON_READ,
    aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
  )
