import itertools

import numpy as np

from deeplab2.training.seeds import loss_seed, step_seed


def test_each_run_and_step_draws_its_own():
  seeds = {
    tuple(np.asarray(make(step_seed(*numbers))))
    for numbers in itertools.product(range(3), repeat=2)
    for make in (lambda seed: seed, loss_seed)
  }
  assert len(seeds) == 2 * 9


def test_the_same_step_draws_the_same():
  left, right = (np.asarray(step_seed(3, 5, 7)) for _ in range(2))
  np.testing.assert_array_equal(left, right)


def test_parts_of_a_batch_share_its_pair():
  whole, part = step_seed(3, 5).numpy(), step_seed(3, 5, 7).numpy()
  assert whole.tolist() == [*part[:2], 0] and part[2] == 7
  assert loss_seed(part).numpy().tolist()[2] == 7
