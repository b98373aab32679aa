"""The rules that the thresholds of all merging rules obey."""

from deeplab2.structures import ClassLayout


def check_fraction(name: str, value: float):
  """Raises ValueError unless `value` is within 0..1."""
  if not 0 <= value <= 1:
    raise ValueError(
      f"{name}: expected a value of 0..1, such as 0.7; got {value}."
    )


def check_not_negative(name: str, value: float, example: str):
  """Raises ValueError if `value` is below zero or not a number."""
  if not value >= 0:
    raise ValueError(
      f"{name}: expected 0 or more, such as {example}; got {value}."
    )


def check_area(name: str, value: int):
  """Raises ValueError if a number of pixels is below zero."""
  if value < 0:
    raise ValueError(
      f"{name}: expected 0 or more pixels, such as 100; got {value}."
    )


def check_slots_fit(num_slots: int | None, layout: ClassLayout):
  """Raises ValueError if slot + 1 is no instance id, where slots are known."""
  if num_slots is not None and num_slots >= layout.divisor:
    raise ValueError(
      f"divisor: expected more than the number of mask slots ({num_slots}), "
      f"such as {2 * num_slots}; got {layout.divisor}."
    )
