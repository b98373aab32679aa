"""Another program in turn with ours, A B A B: both see the same machine.

The command's placeholders say what to do. It may print, as its last line, a
JSON object with `seconds`, a list of the times of its repeated calls, and with
`first_call` and `added_bytes`; what it does not print is not compared, but for
what can be seen from outside.
"""

import dataclasses
import re
import shlex
import statistics
from collections.abc import Callable

from deeplab2.benchmark.jobs import Job
from deeplab2.benchmark.processes import Run, run_job, run_program
from deeplab2.benchmark.timing import quartiles
from deeplab2.cpu_kernels import environment_as_found

PLACEHOLDERS = ("part", "size", "batch", "repeats", "precision", "mode")


@dataclasses.dataclass(frozen=True)
class Contest:
  """Runs of one job by both sides, in turn."""

  job: Job
  ours: tuple[Run, ...]
  theirs: tuple[Run, ...]

  def to_dict(self) -> dict:
    """Medians of both and their ratios: above 1 is in our favour."""
    problems = [
      run.result()["error"]
      for run in (*self.ours, *self.theirs)
      if "error" in run.result()
    ]
    if problems:
      return {"error": problems[0]}
    rows = {
      "call": _compare(_calls(self.ours), _calls(self.theirs)),
      "first_call": _compare(*_printed(self, "first_call")),
      "process": _compare(*_each(self, "seconds")),
      "added_bytes": _compare(*_printed(self, "added_bytes")),
      "peak_bytes": _compare(*_each(self, "peak_bytes")),
    }
    return {name: row for name, row in rows.items() if row}


def compete(
  job: Job,
  command: str,
  rounds: int,
  timeout: float,
  run_ours: Callable[[Job, float], Run] = run_job,
) -> Contest:
  """Runs our job and the other program in turn.

  Args:
    job: what to measure.
    command: of the other program, with placeholders such as {size}.
    rounds: runs of each side.
    timeout: seconds of each run.
    run_ours: how ours is run.
  """
  ours, theirs = [], []
  filled = fill_command(command, job)
  for _ in range(rounds):
    ours.append(run_ours(job, timeout))
    theirs.append(run_program(filled, timeout, environment_as_found()))
  return Contest(job, tuple(ours), tuple(theirs))


def fill_command(command: str, job: Job) -> list[str]:
  """The words of a command, placeholders filled in.

  Braces that hold no placeholder's name stay, as those of JSON.
  """
  names = "|".join(PLACEHOLDERS)
  words = shlex.split(command)
  if not words:
    raise ValueError("against: expected a command; got an empty one.")
  return [
    re.sub(rf"\{{({names})\}}", lambda m: str(getattr(job, m[1])), word)
    for word in words
  ]


def _calls(runs) -> list[float]:
  return [s for run in runs for s in run.result().get("seconds", ())]


def _printed(contest: Contest, field: str) -> tuple[list, list]:
  """What the runs of each side printed of themselves, if they did."""
  sides = (contest.ours, contest.theirs)
  return tuple(
    [run.result()[field] for run in side if field in run.result()]
    for side in sides
  )


def _each(contest: Contest, field: str) -> tuple[list, list]:
  sides = (contest.ours, contest.theirs)
  return tuple([getattr(run, field) for run in side] for side in sides)


def _compare(ours: list[float], theirs: list[float]) -> dict | None:
  if not ours or not theirs:
    return None
  return {
    "ours": statistics.median(ours),
    "theirs": statistics.median(theirs),
    "ours_quartiles": list(quartiles(ours)),
    "theirs_quartiles": list(quartiles(theirs)),
    "ratio": statistics.median(theirs) / statistics.median(ours),
  }
