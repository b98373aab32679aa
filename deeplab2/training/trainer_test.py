import threading
import time
import weakref

import keras
import numpy as np
import orbit
import pytest
import tensorflow as tf

from deeplab2.stateless_random import uniform
from deeplab2.training import checkpoints, gradients, memory, optimizers
from deeplab2.training import fake_architecture as fake
from deeplab2.training.totals import Totals
from deeplab2.training.trainer import StepOptions, Trainer
from deeplab2.training.weight_average import WeightAverage

BATCH_SIZE = 4


class Run:
  """A trainer of the small model, and all of its state."""

  def __init__(
    self, strategy, batches=None, architecture=None, ema_decay=0.0, **options
  ):
    keras.utils.set_random_seed(0)
    experiment = fake.experiment(
      backbone_learning_rate_multiplier=0.1, optimizer="adam"
    )
    batches = batches or fake.train_batches(experiment.train_dataset_options)
    with strategy.scope():
      self.model = (architecture or fake.build(experiment)).model
      step = orbit.utils.create_global_step()
      groups = optimizers.build_parameter_groups(
        self.model, experiment.trainer_options.solver_options
      )
      average = WeightAverage(self.model, ema_decay) if ema_decay else None
      self.trainer = Trainer(
        architecture or fake.build_around(self.model),
        groups,
        batches,
        step,
        StepOptions(**({"batch_size": BATCH_SIZE} | options)),
        average,
      )
    self.strategy = strategy
    self.average = average
    self.state = checkpoints.training_state(self.model, groups, step, average)

  def train(self, steps):
    with self.strategy.scope():
      return self.trainer.train(tf.constant(steps))

  def values(self):
    return {
      name: np.array(checkpoints.value_of(variable))
      for name, variable in self.state.items()
    }


def with_bad_pixel(step):
  """Batches of which that of `step` has one pixel that is not a number."""

  def spoil(number, batch):
    bad = tf.where(number == step, np.nan, 0.0)
    image = batch.image + tf.pad(
      [[[[bad]]]], [[0, 3], [0, 16], [0, 32], [0, 2]]
    )
    return batch._replace(image=image)

  options = fake.experiment().train_dataset_options
  return fake.train_batches(options).enumerate().map(spoil)


def test_two_devices_do_what_one_does(one_device, two_devices):
  options = {"clip_norm": 0.1, "weight_decay": 0.01}
  one = Run(one_device, **options)
  two = Run(two_devices, **options)
  left, right = one.train(3), two.train(3)
  for name in left:
    np.testing.assert_allclose(left[name], right[name], rtol=1e-5, err_msg=name)
  two_values = two.values()
  for name, value in one.values().items():
    np.testing.assert_allclose(
      value, two_values[name], rtol=1e-5, atol=2e-6, err_msg=name
    )


def test_a_step_is_the_step_of_keras_on_the_mean_loss(one_device):
  run, other = Run(one_device), Run(one_device)
  run.train(1)
  batch = fake.batch(0, BATCH_SIZE)
  with tf.GradientTape() as tape:
    prediction = other.model(batch.image, training=True)
    losses = fake.loss(prediction, batch.targets)
    loss = tf.reduce_mean(losses["total_loss"])
  variables = other.model.trainable_variables
  found = tape.gradient(loss, [v.value for v in variables])
  optimizer = keras.optimizers.Adam(0.01)
  optimizer.apply(found, variables)
  path = "model/mask_layer/kernel"
  np.testing.assert_allclose(
    run.values()[path], other.values()[path], atol=1e-6
  )


def test_the_graph_is_there_before_the_first_step_takes_memory(
  one_device, monkeypatch
):
  run = Run(one_device)
  before = run.values()
  seen = []

  def graphs():
    return run.trainer._train_loop_fn.experimental_get_tracing_count()

  def look():
    state = (graphs(), run.trainer.step, run.trainer.clock.given)
    seen.append((state, run.values()))

  monkeypatch.setattr(memory, "give_back_freed", look)
  run.train(2)
  run.train(1)
  ((state, values),) = seen
  assert state == (1, 0, 0)
  assert graphs() == 1
  for name, value in before.items():
    np.testing.assert_array_equal(value, values[name], err_msg=name)


def test_the_graph_of_the_step_goes_once_it_is_built(one_device, monkeypatch):
  run, graphs = Run(one_device), []
  learn = run.trainer._learn

  def look(*arguments):
    graphs.append(weakref.ref(tf.compat.v1.get_default_graph()))
    return learn(*arguments)

  monkeypatch.setattr(run.trainer, "_learn", look)
  run.train(2)
  assert [graph() for graph in graphs] == [None]


def test_the_means_are_over_the_steps_of_the_call(one_device):
  apart, together = Run(one_device), Run(one_device)
  first, second = apart.train(1), apart.train(1)
  both = together.train(2)
  assert set(both) == {"mask_loss", "class_loss", "total_loss", "gradient_norm"}
  for name in both:
    np.testing.assert_allclose(
      both[name], (first[name] + second[name]) / 2, rtol=1e-6
    )


def test_one_compiled_graph_does_the_same(one_device):
  plain, compiled = Run(one_device), Run(one_device, jit_compile=True)
  left, right = plain.train(2), compiled.train(2)
  np.testing.assert_allclose(left["total_loss"], right["total_loss"], rtol=1e-5)


@pytest.mark.parametrize("devices", ["one_device", "two_devices"])
def test_a_step_that_is_not_finite_is_not_taken(devices, request):
  strategy = request.getfixturevalue(devices)
  run = Run(strategy, batches=with_bad_pixel(step=2))
  good = Run(strategy)
  run.train(5)
  good.train(2)
  assert run.trainer.failure is not None
  assert not run.trainer.halted
  assert run.trainer.step == 2
  values = run.values()
  for name, value in good.values().items():
    np.testing.assert_array_equal(values[name], value, err_msg=name)


def test_the_failure_names_terms_and_variables(one_device):
  run = Run(one_device, batches=with_bad_pixel(step=1))
  assert run.trainer.failure is None
  run.train(3)
  failure = run.trainer.failure
  assert failure.step == 1
  assert np.isnan(failure.terms["mask_loss"])
  assert np.isnan(failure.squared_norms["encoder/kernel"])
  np.testing.assert_allclose(failure.learning_rates["rest"], 0.0077, atol=1e-4)


def test_a_skipped_step_is_as_if_its_batch_had_not_been(one_device):
  run = Run(one_device, batches=with_bad_pixel(step=1))
  others = fake.train_batches(fake.experiment().train_dataset_options)
  without = Run(
    one_device, batches=others.enumerate().filter(lambda i, _: i != 1).map(last)
  )
  assert run.train(4) and run.trainer.step == 1
  run.trainer.skip()
  assert run.trainer.failure is None
  run.train(2)
  without.train(3)
  assert (run.trainer.step, run.trainer.skipped) == (4, 1)
  assert run.trainer.learning_rates() == without.trainer.learning_rates()
  assert run.trainer.totals == without.trainer.totals
  values = run.values()
  for name, value in without.values().items():
    if name != checkpoints.GLOBAL_STEP:
      np.testing.assert_array_equal(values[name], value, err_msg=name)


def last(number, batch):
  del number
  return batch


def test_totals_do_not_depend_on_where_a_run_was_interrupted(one_device):
  whole, first, second = Run(one_device), Run(one_device), Run(one_device)
  whole.train(1)
  whole.train(3)
  first.train(2)
  second.trainer.begin_totals(first.trainer.totals)
  for name, variable in second.state.items():
    variable.assign(first.values()[name])
  later = fake.train_batches(fake.experiment().train_dataset_options, 2)
  second.trainer._train_iter = iter(later.map(lambda b: (b.image, b.targets)))
  second.train(2)
  assert second.trainer.totals == whole.trainer.totals
  whole.trainer.begin_totals(Totals(0, {}))
  assert whole.trainer.totals.means() == {}


def test_halt_ends_the_run_of_steps_early(one_device):
  run = Run(one_device)
  run.train(1)
  run.trainer.halt()
  assert run.train(1000) == {}
  assert run.trainer.step == 1


def test_a_variable_without_gradient_is_refused(one_device):
  experiment = fake.experiment()
  with one_device.scope():
    architecture = fake.build(experiment)
  only_masks = lambda *args, **kwargs: {
    "total_loss": fake.loss(*args, **kwargs)["mask_loss"]
  }
  lame = fake.build_around(architecture.model, loss=only_masks)
  with pytest.raises(ValueError, match="2 of 7 do not: class_layer/kernel"):
    Run(one_device, architecture=lame).train(1)
  assert gradients.check_all_reached([], []) is None


def test_an_image_draws_by_step_and_place_wherever_it_is(
  one_device, two_devices
):
  def loss(prediction, targets, seed=None):
    terms = fake.loss(prediction, targets)
    count = terms["total_loss"].shape[0]
    return terms | {"drawn_loss": uniform((count, 1), seed)[:, 0]}

  def run(strategy):
    with strategy.scope():
      model = fake.build(fake.experiment()).model
    return Run(strategy, architecture=fake.build_around(model, loss=loss))

  one, two = run(one_device), run(two_devices)
  first, second = (one.train(1)["drawn_loss"] for _ in range(2))
  assert first != second
  np.testing.assert_allclose(two.train(1)["drawn_loss"], first, rtol=1e-6)


def with_drawn_loss(strategy):
  """A model without batch statistics, and a loss that draws for each image."""

  def loss(prediction, targets, seed=None):
    terms = fake.loss(prediction, targets)
    drawn = uniform((terms["total_loss"].shape[0], 1), seed)[:, 0]
    total = terms["total_loss"] * drawn
    return terms | {"total_loss": total, "drawn_loss": drawn}

  keras.utils.set_random_seed(0)
  with strategy.scope():
    model = fake.build(fake.experiment()).model
  model.norm.trainable = False
  return fake.build_around(model, loss=loss)


def two_at_a_time():
  """Batches of twice the size, of the same images in the same order."""

  def joined(batch):
    return tf.nest.map_structure(
      lambda x: tf.reshape(x, [2 * BATCH_SIZE, *x.shape[2:]]), batch
    )

  single = fake.train_batches(fake.experiment().train_dataset_options)
  return single.batch(2, drop_remainder=True).map(joined)


@pytest.mark.parametrize("devices", ["one_device", "two_devices"])
def test_micro_batches_are_one_large_batch(devices, one_device, request):
  strategy = request.getfixturevalue(devices)
  large = Run(
    one_device,
    two_at_a_time(),
    with_drawn_loss(one_device),
    batch_size=2 * BATCH_SIZE,
    clip_norm=0.05,
  )
  small = Run(
    strategy,
    architecture=with_drawn_loss(strategy),
    micro_batches=2,
    clip_norm=0.05,
  )
  left, right = large.train(3), small.train(3)
  for name in left:
    np.testing.assert_allclose(left[name], right[name], rtol=1e-5, err_msg=name)
  values = small.values()
  assert values["global_step"] == 3
  for name, value in large.values().items():
    np.testing.assert_allclose(
      value, values[name], rtol=1e-5, atol=2e-6, err_msg=name
    )


def test_micro_batches_that_are_not_finite_are_not_taken(one_device):
  run = Run(one_device, batches=with_bad_pixel(step=3), micro_batches=2)
  good = Run(one_device, micro_batches=2)
  run.train(4)
  good.train(1)
  assert run.trainer.failure.step == run.trainer.step == 1
  values = run.values()
  for name, value in good.values().items():
    np.testing.assert_array_equal(values[name], value, err_msg=name)


def that_end_with(number):
  """Batches of which that of `number` cannot be read."""

  def read(count, batch):
    readable = tf.debugging.assert_none_equal(count, tf.cast(number, tf.int64))
    with tf.control_dependencies([readable]):
      return tf.nest.map_structure(tf.identity, batch)

  options = fake.experiment().train_dataset_options
  return fake.train_batches(options).enumerate().map(read)


@pytest.mark.parametrize("devices", ["one_device", "two_devices"])
def test_a_batch_that_does_not_come_changes_nothing(devices, request):
  strategy = request.getfixturevalue(devices)
  run = Run(strategy, batches=that_end_with(7), micro_batches=2)
  good = Run(strategy, micro_batches=2)
  with pytest.raises(tf.errors.InvalidArgumentError, match="IteratorGetNext"):
    run.train(9)
  run.trainer.undo()
  good.train(3)
  values = run.values()
  for name, value in good.values().items():
    np.testing.assert_array_equal(values[name], value, err_msg=name)
  assert run.trainer.totals == good.trainer.totals


def test_a_step_that_waits_for_its_batch_has_changed_nothing(one_device):
  comes = threading.Event()

  def wait(number):
    if number == 3:
      comes.wait(60)
    return number

  def late(number, batch):
    return tf.py_function(wait, [number], tf.int64), batch

  options = fake.experiment().train_dataset_options
  batches = fake.train_batches(options).enumerate().map(late).map(last)
  run, good = Run(one_device, batches=batches), Run(one_device)
  thread = threading.Thread(target=run.train, args=(4,), daemon=True)
  thread.start()
  while not (run.trainer.step == 3 and run.trainer.waits_between_steps):
    assert thread.is_alive()
    time.sleep(0.01)
  values = run.values()
  good.train(3)
  for name, value in good.values().items():
    np.testing.assert_array_equal(values[name], value, err_msg=name)
  comes.set()
  thread.join(60)
  assert run.trainer.step == 4
  assert not run.trainer.waits_between_steps


@pytest.mark.parametrize("devices", ["one_device", "two_devices"])
def test_averages_follow_the_weights_and_take_their_place(devices, request):
  decay = 0.2  # what is reached with update 2
  run = Run(request.getfixturevalue(devices), ema_decay=decay)
  expected = {n: v for n, v in run.values().items() if n.startswith("model/")}
  for update in (1, 2, 3):
    run.train(1)
    kept = min(decay, (1 + update) / (10 + update))
    values = run.values()
    for name, average in expected.items():
      expected[name] = kept * average + (1 - kept) * values[name]
  for name, average in expected.items():
    found = values["ema/" + name.removeprefix("model/")]
    np.testing.assert_allclose(found, average, rtol=1e-5, atol=1e-7)
  with run.strategy.scope(), run.average.in_the_model():
    swapped = run.values()
  for path in run.average.by_path():
    names = f"model/{path}", f"ema/{path}"
    for one, other in (names, names[::-1]):
      np.testing.assert_array_equal(swapped[one], values[other])
  for name, value in run.values().items():
    np.testing.assert_array_equal(value, values[name])
