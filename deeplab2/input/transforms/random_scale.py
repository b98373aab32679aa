"""Random scaling: a factor on the size of an image."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class ScaleRange:
  """Factors from `minimum` to `maximum`, `step` apart; step 0 means any.

  Both ends belong to the set: 0.5 to 1.5 in steps of 0.1 are 11 factors. The
  original stores the three numbers as float32, counts 9.99 steps, and draws
  from 10 factors that are 0.111 apart; here the count is rounded first.
  """

  minimum: float
  maximum: float
  step: float

  def __post_init__(self):
    if not 0 < self.minimum <= self.maximum:
      raise ValueError(
        f"min_scale_factor: expected above 0 and at most max_scale_factor, "
        f"such as 0.5 and 1.5; got {self.minimum} and {self.maximum}."
      )
    if self.step < 0:
      raise ValueError(
        f"scale_factor_step_size: expected 0 or more, such as 0.1; "
        f"got {self.step}."
      )

  def times(self, factor: float) -> "ScaleRange":
    """The same factors, each multiplied."""
    return ScaleRange(
      self.minimum * factor, self.maximum * factor, self.step * factor
    )

  @property
  def factors(self) -> tuple[float, ...]:
    """The discrete set, ascending; empty if any factor may be drawn."""
    width = self.maximum - self.minimum
    if width == 0:
      return (self.minimum,)
    if self.step == 0:
      return ()
    steps = int(width / self.step + 1e-3)
    spacing = width / max(steps, 1)
    return tuple(self.minimum + i * spacing for i in range(steps + 1))


def random_scale(scales: ScaleRange, seed: tf.Tensor) -> tf.Tensor:
  """One factor, each equally likely.  scalar float32"""
  factors = scales.factors
  if not factors:
    return tf.random.stateless_uniform([], seed, scales.minimum, scales.maximum)
  pick = tf.random.stateless_uniform(
    [], seed, maxval=len(factors), dtype=tf.int32
  )
  return tf.gather(tf.constant(factors, tf.float32), pick)
