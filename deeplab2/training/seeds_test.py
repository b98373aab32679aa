import itertools

import numpy as np

from deeplab2.training.seeds import loss_seed, step_seed


def test_each_run_step_and_device_draws_its_own():
  pairs = {
    tuple(np.asarray(make(step_seed(*numbers))))
    for numbers in itertools.product(range(3), repeat=3)
    for make in (lambda seed: seed, loss_seed)
  }
  assert len(pairs) == 2 * 27


def test_the_same_step_draws_the_same():
  left, right = (np.asarray(step_seed(3, 5, 7)) for _ in range(2))
  np.testing.assert_array_equal(left, right)
