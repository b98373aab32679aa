"""Seconds of calls that repeat, and what is typical of them."""

import dataclasses
import statistics
import time
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Timing:
  """Seconds of one call.

  Attributes:
    first: of the first call, which traces and compiles.
    repeated: of the calls after it, in their order.
  """

  first: float
  repeated: tuple[float, ...]

  @property
  def median(self) -> float:
    return statistics.median(self.repeated)

  @property
  def quartiles(self) -> tuple[float, float]:
    """Half of the repeated calls lie between the two."""
    return quartiles(self.repeated)


def time_calls(function: Callable[[], object], repeats: int) -> Timing:
  """Times a first call and `repeats` more.

  Args:
    function: has to return no earlier than its work is done.
    repeats: at least 1.
  """
  if repeats < 1:
    raise ValueError(f"repeats: expected 1 or more; got {repeats}.")
  first, *repeated = (_seconds(function) for _ in range(repeats + 1))
  return Timing(first, tuple(repeated))


def quartiles(values) -> tuple[float, float]:
  """First and third quartile, those of a single value the value itself."""
  if len(values) == 1:
    return values[0], values[0]
  first, _, third = statistics.quantiles(values, n=4, method="inclusive")
  return first, third


def _seconds(function) -> float:
  begun = time.perf_counter()
  function()
  return time.perf_counter() - begun
