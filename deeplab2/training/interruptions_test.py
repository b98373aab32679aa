import os
import signal
import threading

import pytest

from deeplab2.training import interruptions


@pytest.mark.parametrize("number", interruptions.SIGNALS)
def test_a_signal_halts_from_another_thread(number):
  before = signal.getsignal(number)
  halted = threading.Event()
  caller = []

  def halt():
    caller.append(threading.current_thread())
    halted.set()

  lines = []
  with interruptions.halting(halt, lines.append) as interruption:
    os.kill(os.getpid(), number)
    assert halted.wait(5)
  assert interruption.signal == number
  assert lines[0].startswith(f"{signal.Signals(number).name}: the run ends")
  assert caller[0] is not threading.main_thread()
  assert signal.getsignal(number) is before


@pytest.fixture
def usual_ctrl_c():
  """A process in the background ignores SIGINT from its start."""
  before = signal.signal(signal.SIGINT, signal.default_int_handler)
  yield
  signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("usual_ctrl_c")
def test_the_second_signal_does_what_it_did_before():
  with pytest.raises(KeyboardInterrupt), interruptions.halting(lambda: None):
    for _ in range(2):
      signal.raise_signal(signal.SIGINT)


def test_without_a_signal_nothing_is_halted():
  calls = []
  with interruptions.halting(lambda: calls.append(1)) as interruption:
    pass
  assert interruption.signal is None
  assert calls == []


def ended_from_outside(number, times, **options):
  """The status that a run is ended with whose main thread hears nothing."""
  over = threading.Event()
  statuses, lines = [], []

  def end(status):
    statuses.append(status)
    over.set()

  with interruptions.halting(lambda: None, lines.append, end=end, **options):
    # As the C side of a signal does; Python's own handler is not called.
    pipe = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(pipe)
    for _ in range(times):
      os.write(pipe, bytes([number]))
    assert over.wait(10)
  return statuses, lines


def test_a_run_that_cannot_end_is_ended_once_all_is_saved():
  answers = iter([None, None, "saved"])
  statuses, lines = ended_from_outside(
    signal.SIGTERM, 1, rescue=lambda: next(answers), grace=0.01
  )
  assert statuses == [143]
  assert lines[1:] == ["saved"]


def test_the_second_signal_ends_a_run_that_hears_nothing(monkeypatch):
  monkeypatch.setattr(interruptions, "_GRACE_AT_ONCE", 0.01)
  statuses, lines = ended_from_outside(signal.SIGINT, 2)
  assert statuses == [130]
  assert lines[1:] == ["SIGINT again: ended at once."]


def test_ctrl_c_ends_what_does_not_hear_it():
  statuses = []
  over = threading.Event()

  def end(status):
    statuses.append(status)
    over.set()

  with interruptions.heard(grace=0.01, end=end):
    pipe = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(pipe)
    os.write(pipe, bytes([signal.SIGTERM, signal.SIGINT]))
    assert over.wait(10)
  assert statuses == [130]


@pytest.mark.usefixtures("usual_ctrl_c")
def test_ctrl_c_that_is_heard_does_what_it_does_anyway():
  ended = []
  with pytest.raises(KeyboardInterrupt), interruptions.heard(end=ended.append):
    signal.raise_signal(signal.SIGINT)
  assert ended == []
