import numpy as np
import pytest

from deeplab2.config import config_pb2
from deeplab2.training.schedules import POLICIES, build_schedule

STEPS = 101


def solver(**settings):
  defaults = {"training_number_of_steps": STEPS, "base_learning_rate": 0.3}
  return config_pb2.SolverOptions(**(defaults | settings))


def values(schedule, steps):
  return np.array([float(schedule(step)) for step in steps])


def test_poly_falls_to_its_end_by_the_power_law():
  schedule = build_schedule(
    solver(
      learning_policy="poly",
      poly_learning_power=0.7,
      poly_end_learning_rate=0.1,
    )
  )
  steps = np.arange(0, STEPS + 10, 7)
  left = 1 - np.minimum(steps, STEPS) / STEPS
  np.testing.assert_allclose(
    values(schedule, steps), 0.2 * left**0.7 + 0.1, rtol=1e-5
  )


def test_cosine_is_half_a_wave():
  schedule = build_schedule(solver(learning_policy="cosine"))
  steps = np.arange(0, STEPS + 1, 7)
  expected = 0.15 * (1 + np.cos(np.pi * steps / STEPS))
  np.testing.assert_allclose(values(schedule, steps), expected, atol=1e-7)


def test_constant_is_constant():
  schedule = build_schedule(solver(learning_policy="constant"))
  np.testing.assert_allclose(values(schedule, [0, 1, STEPS]), 0.3, rtol=1e-6)


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_warm_up_rises_from_zero_and_shifts_nothing(policy):
  plain = build_schedule(solver(learning_policy=policy), 0.5)
  warm = build_schedule(solver(learning_policy=policy, warmup_steps=10), 0.5)
  rising = np.arange(10)
  np.testing.assert_allclose(
    values(warm, rising), 0.5 * 0.3 * rising / 10, rtol=1e-6
  )
  after = [10, 11, 57, STEPS]
  np.testing.assert_array_equal(values(warm, after), values(plain, after))


def test_unknown_policy_lists_the_choices():
  with pytest.raises(ValueError) as error:
    build_schedule(solver(learning_policy="step"))
  assert str(error.value) == (
    "solver_options.learning_policy: expected one of ['constant', 'cosine', "
    "'poly']; got 'step'."
  )
