"""What the modes of a run share: the model, its data, and what came out."""

import os
from collections.abc import Callable

import orbit
import tensorflow as tf

from deeplab2.training import model_dir as model_dir_lib
from deeplab2.training import strategies
from deeplab2.training.board import Board
from deeplab2.training.layer_probe import sizing_outputs


class RunParts:
  """An experiment, built; made and used in the scope of a strategy.

  Attributes:
    experiment: ExperimentOptions.
    model_dir: of the run, which all hosts see.
    output_dir: where this host writes; that of the run on one host only.
    hosts: how many there are, and which this is.
    watchdog: has to be told of what takes long.
    log: takes each line for people.
    architecture: the MetaArchitecture.
    outputs: what its layers gave when it was made.
    data: batches and labels.
    global_step: counts the updates that the model had.
    metrics: what came out up to now, for metrics.json.
  """

  def __init__(
    self,
    experiment,
    model_dir: str,
    output_dir: str,
    watchdog,
    build: Callable,
    data: Callable,
  ):
    """Args are the attributes, and in the end:
    build: experiment -> MetaArchitecture.
    data: (experiment, architecture, log) -> what RecordData is.
    """
    self.experiment = experiment
    self.model_dir = model_dir
    self.output_dir = output_dir
    self.hosts = strategies.hosts_of(tf.distribute.get_strategy())
    self.watchdog = watchdog
    self.log = watchdog.say
    with sizing_outputs() as self.outputs:
      self.architecture = build(experiment)
    self.data = data(experiment, self.architecture, self.log)
    self.global_step = orbit.utils.create_global_step()
    self.metrics = {"experiment": experiment.experiment_name}
    self._written: str | None = None

  def board(self, name: str) -> Board:
    """The curves of that name."""
    return Board(os.path.join(self.output_dir, name))

  def add_metrics(self, metrics: dict) -> None:
    """Notes what came out, and writes it into metrics.json."""
    self.metrics |= metrics
    self._written = model_dir_lib.add_metrics(self.output_dir, self.metrics)

  def finish(self) -> dict:
    """Says where the metrics are, and gives them."""
    if self._written and self.hosts.is_chief:  # others wrote for nobody
      self.log(f"Metrics: {self._written}")
    return self.metrics
