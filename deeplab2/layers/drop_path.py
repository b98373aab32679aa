"""Drop path (stochastic depth, Huang et al., ECCV 2016).

All decisions of a step are drawn at once and handed down as factors, so that
blocks hold no randomness and can be recomputed.
"""

from keras import ops

from deeplab2.stateless_random import uniform


def drop_path_rate(rate: float, schedule: str, depth: int) -> float:
  """Drop rate at `depth` 0..4, the stage, when the last stage has `rate`.

  `schedule` "constant" has the same rate at all stages, "linear" grows to it
  from zero at the stem.
  """
  if schedule == "constant":
    return rate
  if schedule == "linear":
    return rate * depth / 4
  raise ValueError(
    "drop_path_schedule: expected one of ['constant', 'linear']; "
    f"got {schedule!r}."
  )


def drop_path_factors(rates, batch_size, seed):
  """Zero or 1 / (1 - rate) for each path and sample, [paths, b] float32.

  Args:
    rates: a drop rate in [0, 1) for each path.
    batch_size: int or scalar tensor.
    seed: as in `stateless_random`; equal seeds give equal factors.
  """
  keep = ops.expand_dims(1.0 - ops.convert_to_tensor(rates, "float32"), 1)
  draw = ops.transpose(uniform((batch_size, len(rates)), seed))
  return ops.floor(keep + draw) / keep


def scale_samples(x, factor):
  """Multiplies sample i of x by factor[i]; None leaves x as it is."""
  if factor is None:
    return x
  shape = (-1,) + (1,) * (len(x.shape) - 1)
  return x * ops.cast(ops.reshape(factor, shape), x.dtype)
