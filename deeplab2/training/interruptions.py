"""SIGTERM and Ctrl-C end a run after the step it is at, without losing any.

Python runs signal handlers between two of its own instructions, and a loop of
steps is a single one that can take minutes. The C side of a signal is faster:
it writes to a pipe at once, and a thread that waits there halts the loop.

A step may have no end: its batch does not come. So the thread stays awake, and
ends the process itself where the main one cannot.
"""

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Seconds that a run has to end by itself, which many machines grant 30.
_GRACE = 10.0
_GRACE_AT_ONCE = 2.0


class Interruption:
  """Whether, and by which signal, the run was asked to end."""

  signal: int | None = None


def _exit(status: int) -> None:
  sys.stdout.flush()
  os._exit(status)


@contextlib.contextmanager
def halting(
  halt: Callable[[], None],
  log: Callable = print,
  rescue: Callable[[], str | None] = lambda: None,
  *,
  grace: float = _GRACE,
  end: Callable[[int], None] = _exit,
) -> Iterator[Interruption]:
  """Within, the first signal calls `halt` from another thread, and says so.

  The second one of its kind does what it would have done anyway. Works in the
  main thread of a process, the only one that may handle signals.

  Args:
    halt: lets the run end soon.
    log: takes each line for people.
    rescue: called from time to time when the run does not end: sees that what
      it has is saved, or says None.
    grace: seconds between two calls of it.
    end: ends the process, with an exit status.
  """
  interruption = Interruption()
  before = {number: signal.getsignal(number) for number in SIGNALS}

  def restore(number, frame):
    del frame
    signal.signal(number, before[number])

  for number in SIGNALS:
    signal.signal(number, restore)
  try:
    with _listening(_watch, interruption, halt, log, rescue, grace, end):
      yield interruption
  finally:
    for number in SIGNALS:
      signal.signal(number, before[number])


@contextlib.contextmanager
def heard(
  *, grace: float = _GRACE, end: Callable[[int], None] = _exit
) -> Iterator[None]:
  """Within, Ctrl-C ends the process even while Python cannot hear it.

  It does what it does anyway; where that takes too long, a thread acts.
  """
  if threading.current_thread() is not threading.main_thread():
    yield  # which is not told of signals
    return
  with _listening(_watch_ctrl_c, grace, end):
    yield


@contextlib.contextmanager
def _listening(watch: Callable, *arguments) -> Iterator[None]:
  """Within, a thread runs `watch(reader, ...)`; it may read signals there."""
  reader, writer = os.pipe()
  os.set_blocking(writer, False)
  thread = threading.Thread(
    target=watch, args=(reader, *arguments), daemon=True
  )
  old_pipe = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
  thread.start()
  try:
    yield
  finally:
    signal.set_wakeup_fd(old_pipe)
    os.close(writer)
    thread.join()
    os.close(reader)


class _ClosedError(Exception):
  """Nobody writes to the pipe any more: the run is over."""


def _watch(reader, interruption, halt, log, rescue, grace, end) -> None:
  """Waits until the pipe says a number of SIGNALS, or is closed."""
  with contextlib.suppress(_ClosedError):
    number = _next_signal(reader)
    interruption.signal = number
    name = signal.Signals(number).name
    halt()
    log(
      f"{name}: the run ends after this step and saves its state; the same"
      " again ends it at once, without."
    )
    while (again := _next_signal(reader, grace)) != number:
      if again is None and (said := rescue()):
        log(said)
        end(128 + number)
        return
    _next_signal(reader, _GRACE_AT_ONCE)
    log(f"{name} again: ended at once.")
    end(128 + number)


def _watch_ctrl_c(reader, grace, end) -> None:
  with contextlib.suppress(_ClosedError):
    while _next_signal(reader) != signal.SIGINT:
      pass
    _next_signal(reader, grace)
    print("\ninterrupted", file=sys.stderr, flush=True)
    end(128 + signal.SIGINT)


def _next_signal(reader: int, patience: float | None = None) -> int | None:
  """The next of SIGNALS; None where none comes in so many seconds."""
  while select.select([reader], [], [], patience)[0]:
    data = os.read(reader, 1)
    if not data:
      raise _ClosedError
    if data[0] in SIGNALS:
      return data[0]
  return None
