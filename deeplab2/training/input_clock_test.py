import threading
import time

import pytest
import tensorflow as tf

from deeplab2.training.input_clock import InputClock

STEPS, WAIT = 3, 0.1
ROUNDING = 0.01  # seconds that two clocks may differ by


@tf.autograph.experimental.do_not_convert
def take(clock, iterator, work):
  """Steps in one graph that take `work` seconds each, as those of a trainer."""

  def compute(value):
    time.sleep(work)
    return value

  def body(done):
    batch = clock.next(iterator)
    with tf.control_dependencies([batch]):
      computed = tf.numpy_function(compute, [batch], tf.int64)
    with tf.control_dependencies([computed]):
      return (done + 1,)

  tf.while_loop(lambda done: done < STEPS, body, (0,))


def slow(number):
  time.sleep(WAIT)
  return number


@pytest.mark.parametrize(("work", "waits"), [(0.0, STEPS), (2 * WAIT, 1)])
def test_only_the_time_of_waiting_counts(work, waits):
  """The first batch is always waited for; work hides the reading of others."""
  data = tf.data.Dataset.range(100).map(
    lambda i: tf.numpy_function(slow, [i], tf.int64)
  )
  data = data.map(lambda i: tf.ensure_shape(i, [])).prefetch(1)
  clock = InputClock()
  iterator = iter(data)
  begun = time.perf_counter()
  tf.function(lambda: take(clock, iterator, work))()
  elapsed = time.perf_counter() - begun
  # A busy machine makes everything longer, but none of these sums wrong.
  assert waits * WAIT - ROUNDING <= clock.seconds
  assert clock.seconds <= elapsed - STEPS * work + ROUNDING
  assert clock.given == STEPS
  assert not clock.waiting


def test_another_thread_sees_a_step_that_waits():
  release = threading.Event()

  def stuck(number):
    release.wait(10)
    return number

  data = tf.data.Dataset.range(1).map(
    lambda i: tf.numpy_function(stuck, [i], tf.int64)
  )
  clock = InputClock()
  taker = threading.Thread(target=clock.next, args=(iter(data),))
  taker.start()
  deadline = time.monotonic() + 5
  while not clock.waiting and time.monotonic() < deadline:
    time.sleep(0.01)
  assert clock.waiting
  assert clock.given == 0
  release.set()
  taker.join()
  assert clock.given == 1
