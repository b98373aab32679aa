"""How a program ends: what its exit status is, and that people can read why.

0      it did what it was told
1      an error, in a sentence
130    Ctrl-C; 143: SIGTERM; what was begun and not finished is taken away
"""

import signal
import sys
from collections.abc import Callable

from absl import app

from deeplab2.lean_keras import leave_out_extras


def run(
  main: Callable[[list[str]], None],
  hint: str = "the same command starts again",
  *,
  handle_sigterm: bool = True,
) -> None:
  """Calls `main` with what is left of the command line, as `app.run` does.

  Keras is without what no program needs of it, see `lean_keras`.

  Args:
    main: of the program.
    hint: what to do after an interruption.
    handle_sigterm: whether SIGTERM lets `main` clean up. Python hears of it
      only between its own instructions, so a program that may wait in others
      for minutes, with nothing to clean up, had better end at once.
  """
  leave_out_extras()
  if handle_sigterm:
    signal.signal(signal.SIGTERM, _terminate)
  try:
    app.run(main)
  except KeyboardInterrupt:
    # No more of the kind: whatever ends now may take a moment to do so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _leave(signal.SIGINT, hint)
  except _Terminated:
    _leave(signal.SIGTERM, hint)
  except OSError as error:  # no room, no right, no such file
    sys.exit(f"error: {error}")


class _Terminated(BaseException):
  """The process was asked to end; like KeyboardInterrupt, no Exception."""


def _terminate(number, frame):
  del number, frame
  signal.signal(signal.SIGTERM, signal.SIG_IGN)
  raise _Terminated


def _leave(number: int, hint: str):
  print(f"\ninterrupted; {hint}", file=sys.stderr)
  sys.exit(128 + number)
