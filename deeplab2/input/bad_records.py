"""Counts the bad records of a set, each once, and says when there are too many.

The readers of a pipeline are threads, which meet the same records epoch after
epoch and read ahead of the step that training is at.
"""

import threading
from collections.abc import Callable


class TooManyBadRecordsError(ValueError):
  """More records are bad than `max_bad_records` allows."""


class BadRecords:
  """The bad records that were met so far. Any thread may add to it.

  Args:
    limit: how many there may be.
    field: the option that says so, for messages.
    report: told where each one lies and what is wrong with it, once.

  Attributes:
    suspects: records that a pipeline has to look at before all others.
  """

  def __init__(
    self,
    limit: int = 0,
    field: str = "max_bad_records",
    report: Callable[[str, str], None] = lambda where, problem: None,
  ):
    self.limit = limit
    self.suspects: tuple[str, ...] = ()
    self._field = field
    self._report = report
    self._problems: dict[str, str] = {}
    self._lock = threading.Lock()

  @property
  def count(self) -> int:
    """How many records are bad, of those that were met."""
    return len(self._problems)

  def add(self, where: str, problem: str) -> None:
    """Counts a record, unless that was done.

    Args:
      where: file and record.
      problem: what is wrong, without saying where.

    Raises:
      TooManyBadRecordsError: with this one, or before it, there are too many.
    """
    with self._lock:
      if where not in self._problems:
        self._problems[where] = problem
        self._report(where, problem)
      if len(self._problems) > self.limit:
        raise TooManyBadRecordsError(self._describe())

  def _describe(self) -> str:
    lines = [f"  {where}: {text}" for where, text in self._problems.items()]
    return "\n".join(
      [
        f"{self._field}: expected at most {self.limit} bad records; got "
        f"{len(lines)}:",
        *lines,
        "data/inspect_tfrecords.py --check lists all that are bad; a larger "
        "max_bad_records passes over them.",
      ]
    )
