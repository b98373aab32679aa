"""Says what a run is at when it has said nothing for a while.

Tracing and compiling take minutes at times, and an input that gives nothing
looks just the same. A thread looks at the run every second; it speaks only
when nothing has been said and no batch has come for `patience` seconds.
"""

import threading
import time
from collections.abc import Callable, Sequence

from deeplab2.training import whereabouts
from deeplab2.training.progress import duration

_TICK = 1.0
# After so many lines of its own in a row, the next ones come less often.
_MANY, _RARER = 10, 3.0
# A step is long when it takes so many times what the longest one took.
_LONG = 5.0


class Watchdog:
  """To be entered where the run begins; `say` is its voice."""

  def __init__(
    self,
    log: Callable,
    *,
    patterns: Sequence[str] = (),
    patience: float = 20.0,
    tick: float = _TICK,
  ):
    """Args:
    log: takes each line for people.
    patterns: globs of the records, for messages.
    patience: seconds of silence before, and between, its own lines.
    tick: seconds between two looks.
    """
    self._log = log
    self._patterns = patterns
    self._patience = patience
    self._tick = tick
    self._clock = None
    self._step: Callable[[], int] = int
    self._over = threading.Event()
    self._thread = threading.Thread(target=self._run, daemon=True)
    self._changed = time.monotonic()
    self._told = self._changed
    self._lines = 0
    self._given = 0
    self._longest = 0.0

  def __enter__(self) -> "Watchdog":
    self._thread.start()
    return self

  def __exit__(self, *error) -> None:
    self._over.set()
    self._thread.join()

  def say(self, line) -> None:
    """Logs a line of the run; while it speaks, all is well."""
    self._changed, self._lines = time.monotonic(), 0
    self._log(line)

  def watch(self, clock, step: Callable[[], int]) -> None:
    """Looks at the steps of a training too.

    Args:
      clock: InputClock of its trainer.
      step: gives the number of steps done.
    """
    self._clock, self._step = clock, step
    self._given = clock.given

  def _run(self) -> None:
    while not self._over.wait(self._tick):
      self._note_progress()
      now = time.monotonic()
      silent = now - max(self._changed, self._told)
      if silent >= self._limit():
        self._told, self._lines = now, self._lines + 1
        self._log(self._line(now - self._changed))

  def _note_progress(self) -> None:
    """A batch that came is progress, though nobody speaks of it."""
    given = self._clock.given if self._clock else 0
    if given != self._given:
      now = time.monotonic()
      if self._given:
        steps = max(1, given - self._given)
        self._longest = max(self._longest, (now - self._changed) / steps)
      self._given, self._changed, self._lines = given, now, 0

  def _limit(self) -> float:
    patience = self._patience * (_RARER if self._lines >= _MANY else 1.0)
    waits = self._clock is not None and self._clock.waiting
    return patience if waits else max(patience, self._long)

  @property
  def _long(self) -> float:
    return _LONG * self._longest

  def _line(self, seconds: float) -> str:
    threads = whereabouts.stacks()
    if self._clock is not None and self._clock.waiting:
      return self._starving(threads, seconds)
    what = whereabouts.activity(threads)
    if self._given and what.startswith("optimizing"):
      what = f"computing step {self._step()}"
      if self._longest:
        what += f" (the longest up to now took {duration(self._longest)})"
    reading = _reading(threads)
    where = f"; reading is at {reading}" if reading else ""
    return f"... still {what}, {duration(seconds)}{where}"

  def _starving(self, threads, seconds: float) -> str:
    """For a user whose input gives nothing."""
    reading = _reading(threads) or "none of them"
    return (
      f"... no data: the batch of step {self._step()} has not come for"
      f" {duration(seconds)}. Records: {', '.join(self._patterns)}; reading is"
      f" at {reading}."
    )


def _reading(threads) -> str:
  """File and record of up to three that threads are at."""
  reading = sorted(set(whereabouts.records_being_read(threads)))
  return "; ".join(reading[:3])
