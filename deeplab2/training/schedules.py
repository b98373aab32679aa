"""Learning rates as functions of the step: poly, cosine, constant, warm-up."""

import keras
from keras import ops

schedules = keras.optimizers.schedules


class WarmUp(schedules.LearningRateSchedule):
  """Rises linearly from 0 over `warmup_steps`, then follows `after`.

  `after` is asked for the full step, not for the steps since the warm-up: the
  recipes of the field were tuned that way, jump at the end of it included.
  """

  def __init__(self, peak, warmup_steps: int, after):
    super().__init__()
    self.peak = peak
    self.warmup_steps = warmup_steps
    self.after = after

  def __call__(self, step):
    step = ops.cast(step, "float32")
    rising = self.peak * step / self.warmup_steps
    return ops.where(step < self.warmup_steps, rising, self.after(step))

  def get_config(self):
    return {
      "peak": self.peak,
      "warmup_steps": self.warmup_steps,
      "after": self.after,
    }


class Constant(schedules.LearningRateSchedule):
  """The same rate at every step."""

  def __init__(self, rate):
    super().__init__()
    self.rate = rate

  def __call__(self, step):
    del step
    return ops.convert_to_tensor(self.rate, dtype="float32")

  def get_config(self):
    return {"rate": self.rate}


def poly(solver, rate):
  """rate * (1 - step / steps) ** power, ending at poly_end_learning_rate."""
  return schedules.PolynomialDecay(
    initial_learning_rate=rate,
    decay_steps=solver.training_number_of_steps,
    end_learning_rate=solver.poly_end_learning_rate,
    power=solver.poly_learning_power,
  )


def cosine(solver, rate):
  """Half a cosine from `rate` to 0."""
  return schedules.CosineDecay(
    initial_learning_rate=rate, decay_steps=solver.training_number_of_steps
  )


def constant(solver, rate):
  """`rate`, whatever the step."""
  del solver
  return Constant(rate)


POLICIES = {"constant": constant, "cosine": cosine, "poly": poly}


def build_schedule(solver, multiplier: float = 1.0):
  """The schedule that SolverOptions describe, with its peak multiplied.

  Raises:
    ValueError: `learning_policy` is not one of POLICIES.
  """
  if solver.learning_policy not in POLICIES:
    raise ValueError(
      "solver_options.learning_policy: expected one of "
      f"{sorted(POLICIES)}; got {solver.learning_policy!r}."
    )
  peak = solver.base_learning_rate * multiplier
  after = POLICIES[solver.learning_policy](solver, peak)
  if solver.warmup_steps > 0:
    return WarmUp(peak, solver.warmup_steps, after)
  return after
