"""The terms of steps, kept in variables while a graph takes many of them.

Which terms there are is known only when a step is traced. The variables are
made then, outside of the graph that is being traced.
"""

from collections.abc import Iterable

import tensorflow as tf

from deeplab2.training.totals import Totals


class StepTerms:
  """Sums over the steps taken, and the terms of the one that was refused.

  Sums are float64, one step after another, over any number of calls: what their
  means are does not depend on where a run was interrupted.
  """

  def __init__(self):
    with tf.device("CPU:0"):
      self._steps = tf.Variable(0, dtype=tf.int64, trainable=False)
    self._sums = {}
    self._refused = {}
    self._partial = {}
    self._start = Totals(0, {})

  @property
  def totals(self) -> Totals:
    """Terms since the last `begin`."""
    if not self._sums:  # not traced yet
      return self._start
    sums = {name: float(v.numpy()) for name, v in self._sums.items()}
    return Totals(int(self._steps.numpy()), sums)

  @property
  def refused(self) -> dict[str, float]:
    """Those of the last step that was not taken."""
    return {name: float(v.numpy()) for name, v in self._refused.items()}

  def begin(self, totals: Totals) -> None:
    """Goes on adding up from `totals`."""
    self._start = totals
    self._steps.assign(totals.steps)
    for name, total in self._sums.items():
      total.assign(totals.sums.get(name, 0.0))

  def prepare(self, names: Iterable[str]) -> None:
    """Makes what `accept` and `refuse` write; they may be in branches."""
    with tf.init_scope(), tf.device("CPU:0"):
      for name in names:
        if name not in self._sums:
          start = self._start.sums.get(name, 0.0)
          self._sums[name] = _scalar(start, tf.float64)
          self._refused[name] = _scalar(0.0)

  def accept(self, terms) -> None:
    """Adds those of a step that is taken."""
    self._steps.assign_add(1)
    for name, value in terms.items():
      self._sums[name].assign_add(tf.cast(value, tf.float64))

  def refuse(self, terms) -> None:
    """Notes those of a step that is not."""
    for name, value in terms.items():
      self._refused[name].assign(value)

  def add_part(self, number, terms) -> None:
    """Adds those of a micro-batch to those of the ones before it in a step."""
    with tf.init_scope(), tf.device("CPU:0"):
      for name in terms:
        if name not in self._partial:
          self._partial[name] = _scalar(0.0)
    for name, value in terms.items():
      partial = self._partial[name]
      before = tf.where(number > 0, partial.read_value(), 0.0)
      partial.assign(before + value)

  def of_parts(self) -> dict[str, tf.Tensor]:
    """What the micro-batches of this step add up to."""
    return {name: v.read_value() for name, v in self._partial.items()}


def _scalar(value, dtype=tf.float32):
  """A variable that may be made while a step is traced.

  For one that TensorFlow lifts out of the graph it traces all of it again.
  """
  return tf.Variable(
    value,
    dtype=dtype,
    trainable=False,
    experimental_enable_variable_lifting=False,
  )
