"""How long steps wait for their batches, measured where they wait.

A step begins when the one before it is over, and asks for its batch first. So
the time from the question to the answer is time in which nothing else is done.
Other threads may read the counts while a graph of steps runs.
"""

import tensorflow as tf


class InputClock:
  """Takes batches from an iterator, and keeps the time."""

  def __init__(self):
    with tf.device("CPU:0"):
      self._asked = tf.Variable(0, dtype=tf.int64, trainable=False)
      self._given = tf.Variable(0, dtype=tf.int64, trainable=False)
      self._waited = tf.Variable(0.0, dtype=tf.float64, trainable=False)

  def next(self, iterator):
    """The next batch, inside a graph or outside."""
    with tf.control_dependencies([self._asked.assign_add(1)]):
      begun = tf.timestamp()
    with tf.control_dependencies([begun]):
      batch = next(iterator)
    with tf.control_dependencies(tf.nest.flatten(batch, True)):
      waited = tf.timestamp() - begun
      self._waited.assign_add(waited)
      self._given.assign_add(1)
    return batch

  @property
  def given(self) -> int:
    """Batches that came."""
    return int(self._given.numpy())

  @property
  def waiting(self) -> bool:
    """Whether a batch was asked for and has not come yet."""
    return int(self._asked.numpy()) > self.given

  @property
  def seconds(self) -> float:
    """Time that was spent waiting, in all."""
    return float(self._waited.numpy())
