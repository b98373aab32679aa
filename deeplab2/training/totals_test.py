from deeplab2.training.totals import Totals


def test_means_are_over_the_steps():
  assert Totals(4, {"a": 2.0, "b": -6.0}).means() == {"a": 0.5, "b": -1.5}


def test_no_step_has_no_mean():
  assert Totals(0, {"a": 0.0}).means() == {}


def test_what_came_after_is_the_difference():
  earlier, later = Totals(2, {"a": 1.0}), Totals(5, {"a": 7.0, "b": 3.0})
  assert later.since(earlier) == Totals(3, {"a": 6.0, "b": 3.0})
