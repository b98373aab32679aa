import numpy as np
import pytest

from deeplab2.interop.class_rows import CHANNELS, CLASS_IDS, CarryOver

CARRY = CarryOver(
  "farm",
  source={CLASS_IDS: ("void", "cow", "grass"), CHANNELS: ("cow", "void")},
  target={
    CLASS_IDS: ("void", "pig", "grass", "sky", "cow"),
    CHANNELS: ("pig", "cow", "void"),
  },
)


def test_rows_of_one_name_go_to_their_new_place():
  source = np.arange(3, dtype=np.float32)[None] * 10
  target = -np.ones((1, 5), np.float32)
  assert CARRY.merged(CLASS_IDS, source, target).tolist() == [
    [0, -1, 20, -1, 10]
  ]
  assert target.min() == target.max() == -1
  assert CARRY.merged(CHANNELS, source[:, :2], target[:, :3]).tolist() == [
    [-1, 0, 10]
  ]


def test_the_same_names_in_another_order_are_a_permutation():
  names = tuple("abcdefg")
  swapped = tuple("gbcdefa")
  carry = CarryOver("x", {CHANNELS: names}, {CHANNELS: swapped})
  source = np.random.default_rng(0).standard_normal((3, 7))
  merged = carry.merged(CHANNELS, source, np.zeros((3, 7)))
  for row, name in enumerate(swapped):
    np.testing.assert_array_equal(merged[:, row], source[:, names.index(name)])


def test_nothing_in_common_carries_nothing():
  carry = CarryOver("x", {CHANNELS: ("a",)}, {CHANNELS: ("b", "c")})
  target = np.ones((2, 2))
  np.testing.assert_array_equal(
    carry.merged(CHANNELS, np.zeros((2, 1)), target), target
  )


def test_the_wrong_data_set_is_an_error():
  CARRY.check(CHANNELS, "head/bias", 2)
  with pytest.raises(ValueError) as error:
    CARRY.check(CHANNELS, "head/bias", 134)
  assert str(error.value) == (
    "carry_over_classes_from: expected the data set that the checkpoint was "
    "trained on, whose head/bias has 134 classes; got 'farm', which has 2 "
    "there."
  )
