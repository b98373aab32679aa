"""The training step, on orbit.

One step, on every device ("replica") at once:
  1. run the model on the device's part of the batch, and the losses;
  2. divide by the whole batch, differentiate, and add up the gradients: over
     the micro-batches first, then over the devices of all hosts;
  3. add weight decay, measure the joint norm, clip;
  4. if all of it is finite, let each optimizer update its group and the
     average of the weights follow; if not, undo what the forward passes left
     behind and fail.
The steps of one call to `train` run in one graph, without the host, until they
are done, one fails or the run is halted.
"""

import dataclasses
from typing import NamedTuple

import orbit
import tensorflow as tf

from deeplab2.training import gradients as gradients_lib
from deeplab2.training import (
  memory,
  optimizers,
  seeds,
  strategies,
  tracing,
)
from deeplab2.training.input_clock import InputClock
from deeplab2.training.kept_statistics import KeptStatistics
from deeplab2.training.nonfinite import Failure
from deeplab2.training.step_terms import StepTerms
from deeplab2.training.totals import Totals
from deeplab2.training.weight_average import WeightAverage


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepOptions:
  """What a step needs to know besides model, data and optimizers.

  Attributes:
    batch_size: images in a batch, over all devices.
    micro_batches: batches in a step, one after another; their images count as
      those of one large batch.
    seed: root of the random numbers that losses draw.
    weight_decay: factor of L2 regularisation of the kernels.
    clip_norm: longest joint gradient; None leaves gradients as they are.
    jit_compile: compile model, losses and gradients with XLA.
  """

  batch_size: int
  micro_batches: int = 1
  seed: int = 0
  weight_decay: float = 0.0
  clip_norm: float | None = None
  jit_compile: bool = False


class _Sums(NamedTuple):
  """What the micro-batches of a step add up to."""

  gradients: list  # of all groups' variables; of this replica's images
  terms: dict  # name -> mean over the images of all replicas


class _Outcome(NamedTuple):
  """What a replica knows after the backward pass."""

  gradients: list  # of all groups' variables, ready to apply
  terms: dict  # name -> mean over the batch
  squared_norms: tf.Tensor  # one for each variable
  finite: tf.Tensor  # bool
  halt_asked: tf.Tensor  # float32, above 0 where a host was asked to halt


class Trainer(orbit.StandardTrainer):
  """Trains a meta-architecture's model; see the module's docstring."""

  def __init__(
    self,
    architecture,
    groups,
    dataset,
    global_step,
    options,
    average: WeightAverage | None = None,
  ):
    """Args:
    architecture: the MetaArchitecture, built in the strategy's scope.
    groups: from `build_parameter_groups`, built in the scope as well.
    dataset: of Batch, endless; on several hosts, this one's part of each batch.
    global_step: int64 variable that counts the updates.
    options: StepOptions.
    average: follows the weights, if there is one; built in the scope.
    """
    self._strategy = tf.distribute.get_strategy()
    self._hosts = strategies.hosts_of(self._strategy)
    super().__init__(_distributed(self._strategy, dataset))
    self._average = average
    self._architecture = architecture
    self._groups = groups
    self._global_step = global_step
    self._options = options
    self._paths = [p for group in groups for p in group.variables]
    self._variables = [v for g in groups for v in g.variables.values()]
    self._kept = KeptStatistics(
      self._strategy, architecture.model.non_trainable_variables
    )
    if options.jit_compile:
      # Sums over devices cannot cross a compiled function: one device only.
      self._learn = tf.function(self._learn, jit_compile=True, autograph=False)
    with tf.device("CPU:0"):
      # What this host was asked, and what all hosts know of it.
      self._halt_asked = tf.Variable(False, trainable=False)
      self._halted = tf.Variable(False, trainable=False)
      self._failed = tf.Variable(False, trainable=False)
      self._norms = tf.Variable(tf.zeros(len(self._paths)), trainable=False)
    self.clock = InputClock()
    self._terms = StepTerms()
    self._before = self._terms.totals

  def train(self, num_steps):
    """Takes up to so many steps, and returns the means of their terms.

    The first call builds the graph before it takes one: what was needed for
    that, half a gigabyte for a large network, is there again for the steps.
    """
    if self._train_loop_fn is None:
      self._train_iter = self._train_iter or iter(self.train_dataset)
      self._train_loop_fn = tracing.traced(
        self.create_train_loop_fn(), self._train_iter, tf.constant(0)
      )
      super().train(tf.constant(0))
      memory.give_back_freed()
    return super().train(num_steps)

  def halt(self) -> None:
    """Ends the running call of `train` after the step it is at.

    On several hosts, the step after that: in it they tell one another.
    """
    self._halt_asked.assign(True)
    if self._hosts.count == 1:
      self._halted.assign(True)

  @property
  def step(self) -> int:
    """Updates done."""
    return int(self._global_step.numpy())

  @property
  def waits_between_steps(self) -> bool:
    """Whether all is as the last step left it, for want of a batch."""
    begun = self.clock.given % self._options.micro_batches
    return self.clock.waiting and not begun

  @property
  def skipped(self) -> int:
    """Steps that passed without an update, in this session or before it."""
    return self.step - int(self._groups[0].optimizer.iterations.numpy())

  def learning_rates(self) -> dict[str, float]:
    """Group -> the rate that its next update would have."""
    return {
      g.name: float(g.schedule(g.optimizer.iterations.numpy()))
      for g in self._groups
    }

  @property
  def halted(self) -> bool:
    """Whether `halt` was called, on any host; all of them have to ask."""
    asked = bool(self._halt_asked.numpy())
    return strategies.any_host(self._strategy, asked)

  @property
  def totals(self) -> Totals:
    """Terms since the last `begin_totals`."""
    return self._terms.totals

  def begin_totals(self, totals: Totals) -> None:
    """Goes on adding up from `totals`."""
    self._terms.begin(totals)

  def undo(self) -> None:
    """Takes back what a step did whose batch, or a part of it, did not come."""
    self._kept.restore_from_outside()

  def skip(self) -> None:
    """Passes over the step that failed: its batch is left out.

    The count of steps moves on and the data with it. Those of the optimizers
    count updates, so learning rates stay where they are for a step.
    """
    self._failed.assign(False)
    self._global_step.assign_add(1)

  @property
  def failure(self) -> Failure | None:
    """The step that was not finite and therefore not taken, if there is one."""
    if not self._failed.numpy():
      return None
    return Failure(
      step=self.step,
      terms=self._terms.refused,
      squared_norms=dict(zip(self._paths, self._norms.numpy(), strict=True)),
      learning_rates=self.learning_rates(),
    )

  def create_train_loop_fn(self):
    """A graph of up to `num_steps` steps; it ends when halted or failed."""

    def more(done, num_steps):
      stopped = self._halted.read_value() | self._failed.read_value()
      return (done < num_steps) & ~stopped

    # The loop and the branches are written as TensorFlow's own; converting
    # Python's would only cost time.
    @tf.function(autograph=False)
    def loop(iterator, num_steps):
      def body(done):
        self.train_step(iterator)
        return (done + 1,)

      tf.while_loop(lambda done: more(done, num_steps), body, (0,))

    return loop

  def train_loop_begin(self):
    """Notes where the terms of this call begin."""
    self._before = self.totals

  def train_loop_end(self):
    """The means of the terms over the steps taken; empty if none was."""
    return self.totals.since(self._before).means()

  def train_step(self, iterator):
    """Takes one step, in the cross-replica context."""
    self._strategy.run(self._kept.keep)
    sums = self._add_up(iterator)
    outcome = self._strategy.run(self._measure, args=(sums,))
    terms = self._firsts(outcome.terms)
    self._terms.prepare(terms)
    if self._hosts.count > 1:
      self._halted.assign(self._firsts(outcome.halt_asked) > 0)
    tf.cond(
      self._firsts(outcome.finite),
      lambda: self._accept(outcome, terms),
      lambda: self._refuse(outcome, terms),
    )

  def _firsts(self, values):
    """The first replica's, where all replicas hold the same."""
    first = lambda value: strategies.first_value(self._strategy, value)
    if isinstance(values, dict):
      return {name: first(value) for name, value in values.items()}
    return first(values)

  def _add_up(self, iterator) -> _Sums:
    """Gradients and terms of all micro-batches of a step."""
    count = self._options.micro_batches
    if count == 1:
      batch = self.clock.next(iterator)
      return self._strategy.run(self._learn_part, args=(*batch, 0, None))

    def body(number, gradients):
      batch = self.clock.next(iterator)
      sums = self._strategy.run(
        self._learn_part, args=(*batch, number, gradients)
      )
      self._terms.add_part(number, self._firsts(sums.terms))
      return number + 1, sums.gradients

    start = self._strategy.run(
      lambda: [tf.zeros_like(v.value) for v in self._variables]
    )
    _, gradients = tf.while_loop(lambda i, _: i < count, body, (0, start))
    return _Sums(gradients, self._terms.of_parts())

  def _learn_part(self, image, targets, number, gradients) -> _Sums:
    """Step 1 and 2 for a micro-batch, but for the sum over the devices.

    Args:
      image, targets: of this replica.
      number: of the micro-batch in the step.
      gradients: of those before it, to add to; None for none.
    """
    replica = tf.distribute.get_replica_context()
    first = (
      number * self._options.batch_size
      + replica.replica_id_in_sync_group * image.shape[0]
    )
    seed = seeds.step_seed(
      self._options.seed, self._global_step.read_value(), first
    )
    found, terms = self._learn(image, targets, seed)
    if gradients is not None:
      found = [a + b for a, b in zip(gradients, found, strict=True)]
    return _Sums(found, strategies.summed(terms))

  def _measure(self, sums: _Sums) -> _Outcome:
    """The rest of steps 2 and 3, in the replica context."""
    asked = tf.cast(self._halt_asked.read_value(), tf.float32)
    gradients, asked = strategies.summed((sums.gradients, asked))
    gradients = gradients_lib.with_weight_decay(
      gradients,
      self._variables,
      [optimizers.is_kernel(path) for path in self._paths],
      self._options.weight_decay,
    )
    squared_norms = gradients_lib.squared_norms(gradients)
    norm = tf.sqrt(tf.reduce_sum(squared_norms))
    terms = sums.terms
    return _Outcome(
      gradients=gradients_lib.clipped(gradients, norm, self._options.clip_norm),
      terms=terms | {"gradient_norm": norm},
      squared_norms=squared_norms,
      finite=tf.reduce_all(tf.math.is_finite([norm, *terms.values()])),
      halt_asked=asked,
    )

  def _learn(self, image, targets, seed):
    """Gradients and terms of the part of the batch that is on this device."""
    images = self._options.batch_size * self._options.micro_batches
    with tf.GradientTape() as tape:
      prediction = self._architecture.model(image, training=True, seed=seed)
      losses = self._architecture.loss(
        prediction, targets, seed=seeds.loss_seed(seed)
      )
      terms = {
        name: tf.reduce_sum(loss) / images for name, loss in losses.items()
      }
    gradients = tape.gradient(
      terms["total_loss"], [v.value for v in self._variables]
    )
    gradients_lib.check_all_reached(self._paths, gradients)
    # Those of embeddings come as rows with repetitions.
    return [tf.convert_to_tensor(g) for g in gradients], terms

  def _accept(self, outcome, terms):
    self._strategy.run(self._apply, args=(outcome.gradients,))
    self._global_step.assign_add(1)
    self._terms.accept(terms)

  def _apply(self, gradients):
    """Updates every group, in the replica context."""
    start = 0
    for group in self._groups:
      end = start + len(group.variables)
      group.optimizer.apply(
        gradients[start:end], list(group.variables.values())
      )
      start = end
    if self._average is not None:
      self._average.update(self._groups[0].optimizer.iterations.value)

  def _refuse(self, outcome, terms):
    self._strategy.run(self._kept.restore)
    self._norms.assign(self._firsts(outcome.squared_norms))
    self._terms.refuse(terms)
    self._failed.assign(True)


def _distributed(strategy, dataset):
  """What a step reads; names stay behind, no device can hold a string."""
  numbers = dataset.map(lambda batch: (batch.image, batch.targets))
  if strategies.hosts_of(strategy).count > 1:
    # Of one that ends, hosts would ask each other at every batch if it does.
    endless = tf.data.experimental.assert_cardinality(
      tf.data.INFINITE_CARDINALITY
    )
    numbers = numbers.apply(endless)
  return strategies.distribute(strategy, numbers)
