"""A running average of a model's weights, which often scores better than they.

Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging",
SIAM Journal on Control and Optimization, 1992; here with weights that fade.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from deeplab2.layers.variable_paths import variables_by_path


class WeightAverage:
  """Averages of all variables of a model, moving statistics included.

  After update n, an average keeps the part min(decay, (1 + n) / (10 + n)) of
  what it was, so that a new run soon forgets the weights that it began with.
  Moving statistics of batch normalizations are averaged like weights, since
  they have to fit those they are used with.
  """

  def __init__(self, model, decay: float):
    """Made in the scope of the strategy; the averages begin as the weights.

    Args:
      model: a keras.Model whose variables exist.
      decay: part of an average that an update keeps in the long run.
    """
    self._decay = decay
    self._variables = variables_by_path(model)
    self._averages = {
      path: tf.Variable(variable.numpy(), trainable=False)
      for path, variable in self._variables.items()
    }

  def by_path(self) -> dict[str, Any]:
    """Path of a variable in the model -> its average, a tf.Variable."""
    return dict(self._averages)

  def begin(self) -> None:
    """Lets the averages begin anew, as the weights are now."""
    for path, variable in self._variables.items():
      self._averages[path].assign(variable.numpy())

  def update(self, updates) -> None:
    """Takes in the weights after so many updates, in the replica context."""
    updates = tf.cast(updates, tf.float32)
    kept = tf.minimum(self._decay, (1.0 + updates) / (10.0 + updates))
    for path, variable in self._variables.items():
      average = self._averages[path]
      # One operation for the variable, of which a network has hundreds.
      tf.raw_ops.ResourceApplyGradientDescent(
        var=average.handle,
        alpha=tf.cast(1.0 - kept, average.dtype),
        delta=average.read_value() - variable.value,
      )

  @contextlib.contextmanager
  def in_the_model(self) -> Iterator[None]:
    """Within, the model has the averages; its weights are kept aside.

    Whoever saves a checkpoint inside saves the wrong weights.
    """
    self._exchange()
    try:
      yield
    finally:
      self._exchange()

  def _exchange(self) -> None:
    for path, variable in self._variables.items():
      weight, average = variable.numpy(), self._averages[path].numpy()
      variable.assign(average)
      self._averages[path].assign(weight)
