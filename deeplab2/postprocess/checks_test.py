import pytest

from deeplab2.postprocess import checks
from deeplab2.structures import ClassLayout


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_fractions_pass(value):
  checks.check_fraction("x", value)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_no_fraction_does_not(value):
  with pytest.raises(ValueError) as error:
    checks.check_fraction("x", value)
  assert str(error.value) == (
    f"x: expected a value of 0..1, such as 0.7; got {value}."
  )


def test_weights_and_areas_are_not_negative():
  checks.check_not_negative("x", 0.0, "1.0")
  checks.check_area("x", 0)
  with pytest.raises(ValueError) as error:
    checks.check_not_negative("x", -1.0, "1.0")
  assert str(error.value) == "x: expected 0 or more, such as 1.0; got -1.0."
  with pytest.raises(ValueError) as error:
    checks.check_area("x", -1)
  assert str(error.value) == (
    "x: expected 0 or more pixels, such as 100; got -1."
  )


def test_slots_leave_room_for_instance_zero():
  layout = ClassLayout((1,), (2,), 0, divisor=8)
  checks.check_slots_fit(7, layout)
  checks.check_slots_fit(None, layout)
  with pytest.raises(ValueError) as error:
    checks.check_slots_fit(8, layout)
  assert str(error.value) == (
    "divisor: expected more than the number of mask slots (8), such as 16; "
    "got 8."
  )
