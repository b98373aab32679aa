"""Runs of the small model, for the tests of the modes."""

from deeplab2.training import checkpoint_files
from deeplab2.training import fake_architecture as fake
from deeplab2.training.run import run_experiment

STEPS = 6


def experiment(**solver):
  """Options for six steps and two evaluations."""
  options = fake.experiment(
    training_number_of_steps=STEPS,
    warmup_steps=2,
    backbone_learning_rate_multiplier=0.1,
    **solver,
  )
  options.evaluator_options.eval_interval = 4
  options.evaluator_options.num_vis_samples = 1
  options.evaluator_options.continuous_eval_timeout = 1
  return options


def run(directory, mode="train", log=lambda line: None, data=fake.Data, **kw):
  """Trains or evaluates in a directory; the metrics."""
  return run_experiment(
    experiment(**kw), mode, str(directory), build=fake.build, data=data, log=log
  )


def all_of(prefix):
  """All arrays of a checkpoint."""
  return checkpoint_files.read(prefix, checkpoint_files.shapes(prefix))
