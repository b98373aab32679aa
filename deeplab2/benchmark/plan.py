"""Which measurements a choice of parts, sizes and so on comes down to."""

import dataclasses
import itertools
from collections.abc import Iterator

from deeplab2.benchmark.jobs import GRAPH, MACHINE, MODEL, Job


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
  """What to measure: every combination that makes a difference.

  Attributes:
    parts: some of `jobs.PARTS`.
    sizes: heights and widths.
    batches: images of a call.
    slots: numbers of mask slots; None is what the config says.
    precisions: some of `jobs.PRECISIONS`.
    modes: some of `jobs.MODES`.
    repeats: calls that are timed.
  """

  parts: tuple[str, ...]
  sizes: tuple[int, ...]
  batches: tuple[int, ...] = (1,)
  slots: tuple[int | None, ...] = (None,)
  precisions: tuple[str, ...] = ("float32",)
  modes: tuple[str, ...] = (GRAPH,)
  repeats: int = 5

  def __post_init__(self):
    for field, value in dataclasses.asdict(self).items():
      if value == ():
        raise ValueError(f"{field}: expected one at least; got none.")


def plan_jobs(
  config_file: str, overrides: tuple[str, ...], choice: Choice
) -> list[Job]:
  """The jobs of a choice, in the order of its parts.

  Raises:
    ValueError: a value of the choice is wrong; names the field.
  """
  return [
    Job(
      part=part,
      config_file=config_file,
      overrides=overrides,
      repeats=choice.repeats,
      precision=precision,
      mode=mode,
      size=size,
      batch=batch,
      slots=slots,
    )
    for part in choice.parts
    for precision, mode, size, batch, slots in _variants(part, choice)
  ]


def _variants(part: str, choice: Choice) -> Iterator[tuple]:
  """Values of a job's fields, those that make no difference once.

  Shapes are counted without regard to numbers, data are read and maps compared
  alike for all of them, and a machine knows neither images nor batches.
  """
  precisions, modes = choice.precisions, choice.modes
  sizes, batches, slots = choice.sizes, choice.batches, choice.slots
  if part in (MODEL, "input", "quality"):
    precisions, modes = precisions[:1], (GRAPH,)
  if part in (MACHINE, "input", "quality"):
    slots = slots[:1]
  if part == MODEL:
    batches = batches[:1]
  if part == MACHINE:
    modes, sizes, batches = (GRAPH,), sizes[:1], batches[:1]
  return itertools.product(precisions, modes, sizes, batches, slots)
