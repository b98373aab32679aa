"""Batch normalization over any set of axes, with updates that can be deferred.

Attention logits are normalized per head and per term, so statistics are kept
for several axes at once (Axial-DeepLab, section 3.1). Parameters have the
checkpoint's shape: [c] for one axis, broadcastable with ones for several.
"""

import contextlib
import dataclasses
import math
import threading

import keras
from keras import ops


@dataclasses.dataclass(frozen=True, kw_only=True)
class NormOptions:
  """What all normalizations of a network share.

  Attributes:
    momentum: share of the old value in each update of a moving average.
    epsilon: added to the variance.
    synchronized: whether replicas normalize with the statistics of all.
  """

  momentum: float = 0.99
  epsilon: float = 1e-3
  synchronized: bool = False

  def __post_init__(self):
    if not 0 <= self.momentum < 1:
      raise ValueError(
        f"batchnorm_momentum: expected 0 <= m < 1; got {self.momentum}."
      )
    if self.epsilon <= 0:
      raise ValueError(
        "batchnorm_epsilon: expected a positive number, such as 0.001; "
        f"got {self.epsilon}."
      )


_recording = threading.local()  # replicas trace in threads of their own


@contextlib.contextmanager
def deferred_updates():
  """Within, moving averages stay as they are; yields what would update them.

  The list holds one (layer, mean, variance) for each call of a `BatchNorm` in
  training. Whoever collects it owes each layer its `update_averages`.
  """
  outer = getattr(_recording, "updates", None)
  _recording.updates = []
  try:
    yield _recording.updates
  finally:
    _recording.updates = outer


class BatchNorm(keras.layers.Layer):
  """Normalizes, with one mean, variance, gamma and beta per place on `axes`.

  Arithmetic is float32 whatever the input; the result has the compute dtype.
  """

  def __init__(
    self, norm: NormOptions, *, axes=(-1,), gamma_initializer="ones", **kwargs
  ):
    super().__init__(**kwargs)
    self.norm = norm
    self.axes = tuple(axes)
    self.gamma_initializer = keras.initializers.get(gamma_initializer)

  def build(self, input_shape):
    rank = len(input_shape)
    kept = {axis % rank for axis in self.axes}
    self.reduced_axes = tuple(i for i in range(rank) if i not in kept)
    self.broadcast_shape = tuple(
      input_shape[i] if i in kept else 1 for i in range(rank)
    )
    shape = self.broadcast_shape
    if len(kept) == 1:
      shape = (math.prod(shape),)
    self.gamma = self._parameter("gamma", shape, self.gamma_initializer)
    self.beta = self._parameter("beta", shape, "zeros")
    self.moving_mean = self._average("moving_mean", shape, "zeros")
    self.moving_variance = self._average("moving_variance", shape, "ones")

  def _parameter(self, name, shape, initializer):
    return self.add_weight(
      name=name, shape=shape, initializer=initializer, autocast=False
    )

  def _average(self, name, shape, initializer):
    # Synchronized replicas agree; others keep the mean of their averages.
    aggregation = "none" if self.norm.synchronized else "mean"
    return self.add_weight(
      name=name,
      shape=shape,
      initializer=initializer,
      trainable=False,
      autocast=False,
      aggregation=aggregation,
    )

  def call(self, x, training=False):
    x = ops.cast(x, "float32")
    if training and self.trainable:
      mean, variance = ops.moments(
        x,
        axes=self.reduced_axes,
        keepdims=True,
        synchronized=self.norm.synchronized,
      )
      self._note(mean, variance)
    else:
      mean = self._broadcast(self.moving_mean)
      variance = self._broadcast(self.moving_variance)
    scale = self._broadcast(self.gamma) * ops.rsqrt(
      variance + self.norm.epsilon
    )
    shift = self._broadcast(self.beta) - mean * scale
    return ops.cast(x * scale + shift, self.compute_dtype)

  def _broadcast(self, parameter):
    return ops.reshape(parameter, self.broadcast_shape)

  def _note(self, mean, variance):
    updates = getattr(_recording, "updates", None)
    if updates is None:
      self.update_averages(mean, variance)
    else:
      updates.append((self, mean, variance))

  def update_averages(self, mean, variance):
    """Moves the averages one step towards the statistics of a batch."""
    for average, value in (
      (self.moving_mean, mean),
      (self.moving_variance, variance),
    ):
      value = ops.reshape(ops.stop_gradient(value), average.shape)
      momentum = self.norm.momentum
      average.assign(average * momentum + value * (1 - momentum))
