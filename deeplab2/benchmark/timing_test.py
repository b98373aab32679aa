import time

import numpy as np
import pytest

from deeplab2.benchmark.timing import Timing, quartiles, time_calls


def test_the_first_call_is_apart():
  naps = iter([0.05, 0.0, 0.0, 0.0])
  timing = time_calls(lambda: time.sleep(next(naps)), 3)
  assert timing.first >= 0.05
  assert len(timing.repeated) == 3
  assert next(naps, None) is None


def test_one_slow_call_does_not_move_the_median():
  timing = Timing(9.0, (1.0, 2.0, 100.0))
  assert timing.median == 2.0
  assert timing.quartiles == (1.5, 51.0)


@pytest.mark.parametrize("number", [1, 2, 5, 8])
def test_quartiles_are_those_of_numpy(number):
  values = np.random.default_rng(number).random(number).tolist()
  expected = np.quantile(values, [0.25, 0.75])
  np.testing.assert_allclose(quartiles(values), expected)


def test_nothing_cannot_be_timed():
  with pytest.raises(ValueError) as caught:
    time_calls(list, 0)
  assert str(caught.value) == "repeats: expected 1 or more; got 0."
