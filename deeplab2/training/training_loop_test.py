import pytest
import tensorflow as tf

from deeplab2.training import fake_architecture as fake
from deeplab2.training.files import NotWrittenError
from deeplab2.training.nonfinite import NonFiniteError
from deeplab2.training.tally import Tally
from deeplab2.training.totals import Totals
from deeplab2.training.training_loop import RunInterruptedError, TrainingLoop


class Clock:
  seconds = 0.0
  given = 0


class Trainer:
  """Takes steps that do nothing; halts itself after `halt_at` of them.

  The batches of `bad` steps are not finite; that of `end` does not come.
  """

  skipped = 0
  waits_between_steps = False

  def __init__(self, halt_at=None, bad=(), step=0, end=None, why=""):
    self.step = step
    self.halt_at = halt_at
    self.end = end
    self.why = why
    self.undone = 0
    self.clock = Clock()
    self.meanwhile = lambda trainer: None
    self.bad = bad
    self.calls = []
    self.totals = None

  def begin_totals(self, totals):
    self.totals = totals

  @property
  def failure(self):
    return f"failure {self.step}" if self.step in self.bad else None

  def skip(self):
    self.step += 1
    self.skipped += 1

  @property
  def halted(self):
    return self.halt_at is not None and self.step >= self.halt_at

  def train(self, num_steps):
    left = int(num_steps)
    if self.halt_at is not None:
      left = min(left, self.halt_at - self.step)
    left = min([left, *(b - self.step for b in self.bad if b >= self.step)])
    self.calls.append(left)
    self.meanwhile(self)
    means = {"total_loss": 2.0}
    for _ in range(left):
      self.step += 1
      self.totals = Totals(
        self.totals.steps + 1,
        {n: self.totals.sums.get(n, 0.0) + v for n, v in means.items()},
      )
      if self.step == self.end:
        raise tf.errors.InvalidArgumentError(None, None, self.why)
    return means if left else {}

  def undo(self):
    self.undone += 1

  def learning_rates(self):
    return {"all": 0.5}


class Folder:
  directory = "runs/x"

  def __init__(self):
    self.saved = []
    self.progress = {}

  def save(self, step, progress, still=lambda: True):
    if not still():
      return None
    self.saved.append(step)
    self.progress[step] = progress
    return self.prefix(step)

  def prefix(self, step):
    return f"runs/x/ckpt-{step}"


class Board:
  def __init__(self):
    self.points = {}
    self.begin = None
    self.full_at = None

  def begin_at(self, step):
    self.begin = step

  def scalars(self, step, values):
    if step == self.full_at:
      raise NotWrittenError("runs/x/train: no room")
    self.points[step] = values


class BlackBox:
  def __init__(self):
    self.recorded = []

  def record(self, failure, always=True):
    self.recorded.append((failure, always))
    return f"report on {failure}"


def make_loop(trainer, tally=None, log=lambda line: None, **trainer_options):
  experiment = fake.experiment(training_number_of_steps=12)
  for name, value in trainer_options.items():
    setattr(experiment.trainer_options, name, value)
  folder, board = Folder(), Board()
  loop = TrainingLoop(
    trainer,
    folder,
    board,
    experiment,
    black_box=BlackBox(),
    tally=tally,
    counts=lambda: {"bad_records": 3},
    log=log,
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
  assert board.points[6]["input/bound"] == 0.0
  assert board.points[6]["memory_bytes/host"] > 0
  assert board.points[6]["input/bad_records"] == 3


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


@pytest.mark.parametrize(
  ("why", "saved"), [("a bad record [[IteratorGetNext]]", [7]), ("a bug", [])]
)
def test_what_was_learned_is_saved_where_the_input_fails(why, saved):
  lines = []
  trainer = Trainer(end=7, why=why)
  loop, folder, _ = make_loop(
    trainer, log=lines.append, save_checkpoints_steps=100
  )
  with pytest.raises(tf.errors.InvalidArgumentError, match=why[:5]):
    loop.run_to(12)
  assert folder.saved == saved
  assert trainer.undone == len(saved)
  if saved:
    assert lines[-1].endswith("learned until then is in runs/x/ckpt-7.")


def test_a_run_that_waits_for_its_batch_is_saved_from_outside():
  trainer = Trainer()
  loop, folder, _ = make_loop(trainer, save_checkpoints_steps=100)
  said = {}

  def ask(trainer):
    said[trainer.step] = loop.rescue()
    if trainer.step:
      trainer.waits_between_steps = True
      said["waiting"] = loop.rescue()

  trainer.meanwhile = ask
  loop.run_to(2)
  assert "before the first step of this start" in said[0]
  assert said[1] is None
  assert folder.saved == [1]
  assert said["waiting"].endswith(
    "The same command goes on from runs/x/ckpt-1."
  )
  assert loop.rescue() is None
  loop.save()
  assert loop.rescue().startswith("Interrupted at step 2 of 12.")


def test_nothing_is_saved_from_outside_when_the_batch_comes_after_all():
  class Late(Clock):
    @property
    def given(self):
      trainer.asked += 1
      return trainer.asked

  trainer = Trainer()
  trainer.clock, trainer.asked = Late(), 0
  loop, folder, _ = make_loop(trainer, save_checkpoints_steps=100)
  loop.run_to(1)
  trainer.waits_between_steps = True
  said = []
  trainer.meanwhile = lambda trainer: said.append(loop.rescue())
  loop.run_to(2)
  assert said == [None]
  assert folder.saved == []


def test_a_run_that_goes_on_adds_to_what_it_had():
  options = {"save_checkpoints_steps": 4, "save_summaries_steps": 6}
  whole, folder, board = make_loop(Trainer(), steps_per_loop=3, **options)
  whole.run_to(12)
  tally = Tally.from_arrays(folder.progress[4])
  seconds = tally.seconds
  assert tally.window == Totals(4, {"total_loss": 8.0})
  later, again, points = make_loop(
    Trainer(step=4), tally, steps_per_loop=3, **options
  )
  later.run_to(12)
  assert again.saved == [8, 12]
  assert later.means == whole.means == {"total_loss": 2.0}
  assert sorted(points.points) == sorted(board.points)
  assert later.seconds > seconds > 0
  assert points.begin == 5


def test_a_point_that_cannot_be_written_costs_no_step_and_comes_later():
  options = {"save_checkpoints_steps": 100, "save_summaries_steps": 6}
  whole, _, _ = make_loop(Trainer(), **options)
  whole.run_to(12)
  full, folder, board = make_loop(Trainer(), **options)
  board.full_at = 6
  with pytest.raises(NotWrittenError, match="no room"):
    full.run_to(12)
  assert folder.saved == [6]
  tally = Tally.from_arrays(folder.progress[6])
  later, _, board = make_loop(Trainer(step=6), tally, **options)
  assert board.begin == 6
  later.run_to(12)
  assert sorted(board.points) == [6, 12]
  assert board.points[6]["losses/total_loss"] == 2.0
  assert later.means == whole.means


def test_a_run_that_goes_on_and_is_halted_at_once_saves_nothing_again():
  loop, folder, board = make_loop(Trainer(halt_at=4, step=4), Tally())
  with pytest.raises(RunInterruptedError):
    loop.run_to(12)
  assert folder.saved == []
  assert board.points == {}


def test_a_step_that_is_not_finite_ends_the_run_and_is_saved():
  loop, folder, _ = make_loop(Trainer(bad=[5]), save_checkpoints_steps=100)
  with pytest.raises(NonFiniteError) as error:
    loop.run_to(12)
  assert folder.saved == [5]
  assert loop._black_box.recorded == [("failure 5", True)]
  assert str(error.value).startswith("report on failure 5\nThe run stopped.")


def test_steps_that_are_not_finite_may_be_left_out_and_are_counted():
  lines = []
  loop, _, board = make_loop(
    Trainer(bad=[0, 5, 6]),
    log=lines.append,
    nonfinite_policy="skip",
    save_summaries_steps=6,
    steps_per_loop=6,
  )
  loop.run_to(12)
  assert (loop.step, loop.skipped) == (12, 3)
  assert [p["skipped_steps"] for p in board.points.values()] == [2, 3]
  assert not any(always for _, always in loop._black_box.recorded)
  assert "report on failure 6\n  left out, 3 of at most 100" in lines


def test_not_more_steps_are_left_out_than_allowed():
  loop, folder, _ = make_loop(
    Trainer(bad=[3, 5, 6]), nonfinite_policy="skip", max_skipped_steps=2
  )
  with pytest.raises(NonFiniteError) as error:
    loop.run_to(12)
  assert folder.saved[-1] == 6
  assert str(error.value) == (
    "report on failure 6\ntrainer_options.max_skipped_steps: 2 steps were left"
    " out already."
  )
