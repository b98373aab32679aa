"""SIGTERM and Ctrl-C end a run after the step it is at, without losing any.

Python runs signal handlers between two of its own instructions, and a loop of
steps is a single one that can take minutes. The C side of a signal is faster:
it writes to a pipe at once, and a thread that waits there halts the loop.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption:
  """Whether, and by which signal, the run was asked to end."""

  signal: int | None = None


@contextlib.contextmanager
def halting(
  halt: Callable[[], None], log: Callable = print
) -> Iterator[Interruption]:
  """Within, the first signal calls `halt` from another thread, and says so.

  The second one of its kind does what it would have done anyway. Works in the
  main thread of a process, the only one that may handle signals.
  """
  interruption = Interruption()
  reader, writer = os.pipe()
  os.set_blocking(writer, False)
  watcher = threading.Thread(
    target=_watch, args=(reader, interruption, halt, log), daemon=True
  )
  before = {number: signal.getsignal(number) for number in SIGNALS}

  def restore(number, frame):
    del frame
    signal.signal(number, before[number])

  for number in SIGNALS:
    signal.signal(number, restore)
  old_pipe = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
  watcher.start()
  try:
    yield interruption
  finally:
    signal.set_wakeup_fd(old_pipe)
    for number in SIGNALS:
      signal.signal(number, before[number])
    os.close(writer)
    watcher.join()
    os.close(reader)


def _watch(reader: int, interruption: Interruption, halt, log) -> None:
  """Waits until the pipe says a number of SIGNALS, or is closed."""
  while data := os.read(reader, 1):
    if data[0] in SIGNALS:
      interruption.signal = data[0]
      halt()
      log(
        f"{signal.Signals(data[0]).name}: the run ends after this step and "
        "saves its state; the same again ends it at once, without."
      )
      return
