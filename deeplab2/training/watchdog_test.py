import time

import pytest

from deeplab2.training import watchdog as watchdog_lib
from deeplab2.training.watchdog import Watchdog

PATIENCE, TICK = 0.2, 0.02


class Clock:
  given = 0
  waiting = False


@pytest.fixture
def lines():
  return []


@pytest.fixture
def dog(lines):
  dog = Watchdog(
    lines.append, patterns=["/x/train*"], patience=PATIENCE, tick=TICK
  )
  with dog:
    yield dog


def test_silence_is_broken_again_and_again(dog, lines):
  time.sleep(2.8 * PATIENCE)
  assert 1 <= len(lines) <= 2
  assert lines[0].startswith("... still in test_silence_is_broken")
  assert lines[0].endswith(" s")


def test_a_run_that_speaks_is_not_interrupted(dog, lines):
  for _ in range(6):
    dog.say("x")
    time.sleep(PATIENCE / 2)
  assert lines == ["x"] * 6


def test_an_input_that_gives_nothing_is_told_with_its_files(
  dog, lines, monkeypatch
):
  monkeypatch.setattr(
    watchdog_lib.whereabouts,
    "records_being_read",
    lambda threads: ["a.tfrecord, record 3", "a.tfrecord, record 3"],
  )
  clock = Clock()
  clock.waiting = True
  dog.watch(clock, lambda: 7)
  time.sleep(1.5 * PATIENCE)
  assert lines == [
    "... no data: the batch of step 7 has not come for 0 s. Records: /x/train*;"
    " reading is at a.tfrecord, record 3."
  ]


def test_reading_is_told_whatever_it_is_for(dog, lines, monkeypatch):
  monkeypatch.setattr(
    watchdog_lib.whereabouts,
    "records_being_read",
    lambda threads: ["val.tfrecord, record 2"],
  )
  time.sleep(1.5 * PATIENCE)
  assert lines[0].endswith(" s; reading is at val.tfrecord, record 2")


def test_batches_that_come_are_progress(dog, lines):
  clock = Clock()
  dog.watch(clock, lambda: clock.given)
  for _ in range(8):
    clock.given += 1
    time.sleep(PATIENCE / 2)
  assert lines == []


def test_a_step_is_long_by_the_measure_of_the_others(dog, lines):
  clock = Clock()
  dog.watch(clock, lambda: clock.given)
  for _ in range(4):
    clock.given += 1
    time.sleep(PATIENCE / 2)
  time.sleep(PATIENCE)
  assert lines == []
  time.sleep(2.5 * PATIENCE)
  assert len(lines) == 1


def test_its_thread_ends_with_the_run(lines):
  with Watchdog(lines.append, patience=PATIENCE, tick=TICK) as dog:
    pass
  assert not dog._thread.is_alive()
