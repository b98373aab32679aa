from deeplab2.training.tally import Tally
from deeplab2.training.totals import Totals


def test_what_was_saved_comes_back_to_the_last_bit():
  tally = Tally(
    seconds=1 / 3,
    window=Totals(7, {"a_loss": 0.1 + 0.2, "b": -0.0}),
    last={"a_loss": 1e-300},
  )
  assert Tally.from_arrays(tally.arrays()) == tally


def test_older_checkpoints_have_none():
  assert Tally.from_arrays({}) == Tally()
