import pytest

from deeplab2.config import config_pb2, rules

NAN = float("nan")


@pytest.mark.parametrize(
  ("rule", "good", "bad"),
  [
    (rules.at_least(1), [1, 2], [0, NAN]),
    (rules.above(0), [1e-9], [0, -1, NAN]),
    (rules.within(0, 1), [0, 0.5, 1], [-0.1, 1.1, NAN]),
    (rules.above_up_to(0, 1), [0.1, 1], [0, 1.1, NAN]),
    (rules.one_of("a", "b"), ["a", "b"], ["c", ""]),
    (rules.all_or_at_least(1), [-1, 1, 7], [-2, 0]),
    (rules.each(rules.at_least(2)), [[], [2, 3]], [[2, 1]]),
  ],
)
def test_a_rule_holds_for_the_values_it_speaks_of(rule, good, bad):
  assert all(map(rule.holds, good))
  assert not any(map(rule.holds, bad))


@pytest.mark.parametrize(
  ("value", "text"),
  [
    (True, "true"),
    (3, "3"),
    (0.1, "0.1"),
    ("a", "'a'"),
    ([1, 2], "[1, 2]"),
    (["a"], "['a']"),
    (config_pb2.HeadOptions(head_channels=3), "{head_channels: 3}"),
  ],
)
def test_values_are_shown_as_a_config_has_them(value, text):
  assert rules.show(value) == text


def test_a_float_of_32_bits_is_shown_without_its_tail():
  options = config_pb2.SolverOptions(base_learning_rate=0.1)
  assert rules.show(options.base_learning_rate) == "0.1"


def test_a_star_stands_for_all_items_of_a_list():
  message = config_pb2.InstanceOptions()
  for channels in (5, 0, 0):
    message.low_level_override.add(channels_project=channels)
  table = {"low_level_override.*.channels_project": rules.at_least(1)}
  assert list(rules.broken_rules(message, table)) == [
    "low_level_override.1.channels_project: expected 1 or more; got 0.",
    "low_level_override.2.channels_project: expected 1 or more; got 0.",
  ]


def test_a_default_is_held_to_the_rule_too():
  table = {"steps_per_loop": rules.at_least(5000)}
  lines = list(rules.broken_rules(config_pb2.TrainerOptions(), table))
  assert lines == ["steps_per_loop: expected 5000 or more; got 1000."]


def test_only_what_differs_from_its_default_is_without_effect():
  table = {"sigma": "there are no centres", "cameras_to_use": "there is one"}

  def lines(**values):
    options = config_pb2.DatasetOptions(**values)
    return list(rules.set_without_effect(options, table))

  assert lines() == lines(sigma=8.0) == []
  assert lines(sigma=4.0, cameras_to_use=["front"]) == [
    "sigma: expected unset, there are no centres; got 4.",
    "cameras_to_use: expected unset, there is one; got ['front'].",
  ]


def test_a_message_without_effect_is_shown_whole_even_if_empty():
  options = config_pb2.LossOptions()
  options.depth_loss.weight = 2
  options.center_loss.SetInParent()
  table = {
    name: "there is none"
    for name in ("motion_loss", "depth_loss", "center_loss")
  }
  assert list(rules.set_without_effect(options, table)) == [
    "depth_loss: expected unset, there is none; got {weight: 2.0}.",
    "center_loss: expected unset, there is none; got {}.",
  ]
