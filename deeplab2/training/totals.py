"""Terms of the loss, added up over steps."""

from typing import NamedTuple


class Totals(NamedTuple):
  """Terms added up over steps."""

  steps: int
  sums: dict[str, float]

  def means(self) -> dict[str, float]:
    """Empty where there was no step."""
    return (
      {n: s / self.steps for n, s in self.sums.items()} if self.steps else {}
    )

  def since(self, earlier: "Totals") -> "Totals":
    """What came after `earlier`."""
    sums = {n: s - earlier.sums.get(n, 0.0) for n, s in self.sums.items()}
    return Totals(self.steps - earlier.steps, sums)
