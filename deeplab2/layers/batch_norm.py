"""Batch normalization over any set of axes, with updates that can be deferred.

Attention logits are normalized per head and per term, so statistics are kept
for several axes at once (Axial-DeepLab, section 3.1). Parameters have the
checkpoint's shape: [c] for one axis, broadcastable with ones for several.
"""

import contextlib
import dataclasses
import threading

import keras
from keras import ops

from deeplab2.layers import batch_statistics


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
    self,
    norm: NormOptions,
    *,
    axes=(-1,),
    parameter_shape=None,
    gamma_initializer="ones",
    **kwargs,
  ):
    """`parameter_shape` is for where the checkpoint splits the one axis."""
    super().__init__(**kwargs)
    self.norm = norm
    self.axes = tuple(axes)
    self.parameter_shape = parameter_shape
    self.gamma_initializer = keras.initializers.get(gamma_initializer)

  def build(self, input_shape):
    """Reads the sizes of `axes` only; for the last axis, any rank will do."""
    rank = len(input_shape)
    if len(self.axes) == 1:
      shape = (input_shape[self.axes[0]],)
    else:
      kept = self._kept(rank)
      shape = tuple(input_shape[i] if i in kept else 1 for i in range(rank))
    shape = self.parameter_shape or shape
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
    if self.uses_batch(training):
      x, mean, variance = self._normalize(x)
      self._note(mean, variance)
    else:
      scale, shift = self.scale_and_shift()
      x = ops.cast(x, "float32") * self._along(scale, x)
      x = x + self._along(shift, x)
    return ops.cast(x, self.compute_dtype)

  def uses_batch(self, training) -> bool:
    """Whether a call normalizes by the batch, not by the moving averages."""
    return bool(training) and self.trainable

  def scale_and_shift(self):
    """What the layer is without the batch: `x * scale + shift`, float32.

    Both have the shape of the parameters.
    """
    deviation = ops.rsqrt(self.moving_variance + self.norm.epsilon)
    scale = self.gamma * deviation
    return scale, self.beta - self.moving_mean * scale

  def folded_into(self, kernel, dtype):
    """A kernel and a bias that do what `kernel` and the layer do, in `dtype`.

    A normalization by moving averages is a factor and a shift for each channel:
    the factor goes into the kernel, and the shift is the bias.
    """
    scale, shift = self.scale_and_shift()
    return ops.cast(kernel * scale, dtype), ops.cast(shift, dtype)

  def _normalize(self, x):
    norm = self.norm
    shared = norm.synchronized and batch_statistics.has_replicas()
    if batch_statistics.has_kernel(self.axes) and not shared:
      shape = (x.shape[-1],)
      gamma, beta = _shaped(self.gamma, shape), _shaped(self.beta, shape)
      return batch_statistics.normalize_channels(x, gamma, beta, norm.epsilon)
    kept = self._kept(len(x.shape))
    return batch_statistics.normalize(
      x,
      self._along(self.gamma, x),
      self._along(self.beta, x),
      norm.epsilon,
      tuple(i for i in range(len(x.shape)) if i not in kept),
      shared,
    )

  def _kept(self, rank):
    return {axis % rank for axis in self.axes}

  def _along(self, parameter, x):
    """A parameter in a shape that broadcasts over x."""
    rank = len(x.shape)
    kept = self._kept(rank)
    shape = (x.shape[i] if i in kept else 1 for i in range(rank))
    return ops.reshape(parameter, tuple(shape))

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
      value = _shaped(value, average.shape)
      step = (value - average) * (1 - self.norm.momentum)
      average.assign(average + step)


def _shaped(x, shape):
  """x as a tensor of that shape."""
  x = ops.convert_to_tensor(x)
  # Of hundreds of layers, operations that change nothing delay the first step.
  return x if tuple(x.shape) == tuple(shape) else ops.reshape(x, shape)
