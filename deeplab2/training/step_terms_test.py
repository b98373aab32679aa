import numpy as np
import pytest
import tensorflow as tf

from deeplab2.training.step_terms import StepTerms
from deeplab2.training.totals import Totals


def _stepping(terms):
  """A graph of a step that is taken where its loss is finite."""

  @tf.function(autograph=False)
  def step(loss):
    found = {"loss": loss}
    terms.prepare(found)
    tf.cond(
      tf.math.is_finite(loss),
      lambda: terms.accept(found),
      lambda: terms.refuse(found),
    )

  return step


def test_terms_of_steps_add_up():
  terms = StepTerms()
  step = _stepping(terms)
  assert terms.totals == Totals(0, {})
  for loss in (3.0, 5.0):
    step(tf.constant(loss))
  assert terms.totals == Totals(2, {"loss": 8.0})
  assert step.experimental_get_tracing_count() == 1


def test_sums_lose_nothing_that_float32_would():
  terms = StepTerms()
  terms.begin(Totals(10, {"loss": 2.0**30}))
  step = _stepping(terms)
  step(tf.constant(1.0))
  assert terms.totals == Totals(11, {"loss": 2.0**30 + 1})


def test_a_refused_step_is_not_counted_but_remembered():
  terms = StepTerms()
  step = _stepping(terms)
  step(tf.constant(3.0))
  step(tf.constant(np.inf))
  assert terms.totals == Totals(1, {"loss": 3.0})
  assert terms.refused == {"loss": np.inf}


@pytest.mark.parametrize("traced", [False, True])
def test_a_run_goes_on_from_its_totals(traced):
  terms = StepTerms()
  step = _stepping(terms)
  if traced:
    step(tf.constant(100.0))
  terms.begin(Totals(2, {"loss": 8.0}))
  assert terms.totals == Totals(2, {"loss": 8.0})
  step(tf.constant(1.0))
  assert terms.totals == Totals(3, {"loss": 9.0})


def test_parts_of_each_step_add_up_anew():
  terms = StepTerms()

  @tf.function(autograph=False)
  def step(losses):
    def body(number):
      terms.add_part(number, {"loss": losses[number]})
      return (number + 1,)

    tf.while_loop(lambda number: number < 3, body, (0,))
    return terms.of_parts()["loss"]

  assert step(tf.constant([2.0, 3.0, 5.0])).numpy() == 10
  assert step(tf.constant([7.0, 11.0, 13.0])).numpy() == 31
