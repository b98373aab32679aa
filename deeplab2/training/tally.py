"""What a run adds up over all of its sessions, kept beside its checkpoints."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from deeplab2.training.totals import Totals

_SUMS = "window/sums/"
_LAST = "last/"


@dataclasses.dataclass
class Tally:
  """The sums of a run.

  Attributes:
    seconds: spent in steps, compiling included; steps that were lost to a kill
      and taken again count once.
    window: of the terms since the last point of the curves.
    last: the means of the last point.
  """

  seconds: float = 0.0
  window: Totals = dataclasses.field(default_factory=lambda: Totals(0, {}))
  last: Mapping[str, float] = dataclasses.field(default_factory=dict)

  def arrays(self) -> dict[str, np.ndarray]:
    """All of it, to be saved."""
    return {
      "seconds": np.array(self.seconds),
      "window/steps": np.array(self.window.steps),
      **{_SUMS + n: np.array(v) for n, v in self.window.sums.items()},
      **{_LAST + n: np.array(v) for n, v in self.last.items()},
    }

  @classmethod
  def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Tally":
    """As it was saved; a fresh one of nothing."""
    return cls(
      seconds=float(arrays.get("seconds", 0.0)),
      window=Totals(
        int(arrays.get("window/steps", 0)), _numbers(arrays, _SUMS)
      ),
      last=_numbers(arrays, _LAST),
    )


def _numbers(arrays, prefix: str) -> dict[str, float]:
  return {
    name.removeprefix(prefix): float(value)
    for name, value in arrays.items()
    if name.startswith(prefix)
  }
