import pytest

from deeplab2.training import fake_architecture as fake
from deeplab2.training.training_loop import RunInterruptedError, TrainingLoop


class Trainer:
  """Takes steps that do nothing; halts itself after `halt_at` of them."""

  failure = None

  def __init__(self, halt_at=None):
    self.step = 0
    self.halt_at = halt_at
    self.calls = []

  @property
  def halted(self):
    return self.halt_at is not None and self.step >= self.halt_at

  def train(self, num_steps):
    left = int(num_steps)
    if self.halt_at is not None:
      left = min(left, self.halt_at - self.step)
    self.step += left
    self.calls.append(left)
    return {"total_loss": 2.0} if left else {}

  def learning_rates(self):
    return {"all": 0.5}


class Folder:
  directory = "runs/x"

  def __init__(self):
    self.saved = []

  def save(self, step):
    self.saved.append(step)

  def prefix(self, step):
    return f"runs/x/ckpt-{step}"


class Board:
  def __init__(self):
    self.points = {}

  def scalars(self, step, values):
    self.points[step] = values


def make_loop(trainer, **trainer_options):
  experiment = fake.experiment(training_number_of_steps=12)
  for name, value in trainer_options.items():
    setattr(experiment.trainer_options, name, value)
  folder, board = Folder(), Board()
  loop = TrainingLoop(
    trainer, folder, board, experiment, batch_at=None, log=lambda line: None
  )
  return loop, folder, board


def test_stops_where_something_is_due_and_nowhere_else():
  trainer = Trainer()
  loop, folder, board = make_loop(
    trainer,
    steps_per_loop=5,
    save_checkpoints_steps=4,
    save_summaries_steps=6,
  )
  loop.run_to(12)
  # The first step alone, for it is compiled; then to 4, 5, 6, 8, 10 and 12.
  assert trainer.calls == [1, 3, 1, 1, 2, 2, 2]
  assert folder.saved == [4, 8, 12]
  assert sorted(board.points) == [6, 12]
  assert board.points[6]["losses/total_loss"] == 2.0
  assert board.points[6]["learning_rate/all"] == 0.5


def test_a_state_is_saved_once():
  loop, folder, _ = make_loop(Trainer(), save_checkpoints_steps=12)
  loop.run_to(12)
  loop.save()
  assert folder.saved == [12]


def test_a_halted_run_saves_and_says_how_to_go_on():
  loop, folder, _ = make_loop(Trainer(halt_at=7), save_checkpoints_steps=100)
  with pytest.raises(RunInterruptedError) as error:
    loop.run_to(12)
  assert folder.saved == [7]
  assert str(error.value) == (
    "Interrupted at step 7 of 12. The same command goes on from runs/x/ckpt-7."
  )
