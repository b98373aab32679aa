"""Evaluation as a run has it: between steps, or of its checkpoints."""

from deeplab2.training import checkpoints
from deeplab2.training.evaluation_loop import EvaluationLoop
from deeplab2.training.evaluator import Evaluator
from deeplab2.training.observers import build_observers
from deeplab2.training.run_parts import RunParts


class EvaluationMode:
  """Evaluates the model of a run."""

  def __init__(self, parts: RunParts):
    self.board = parts.board("eval")
    self._model_dir = parts.model_dir
    self._evaluator = _evaluator(parts, self.board)
    self._loop = EvaluationLoop(
      self._evaluator,
      parts.architecture,
      parts.global_step,
      self.board,
      parts.experiment,
      parts.add_metrics,
      parts.log,
    )

  def observe(self, observer) -> None:
    """Shows every image to `observer` from the next evaluation on."""
    self._evaluator.observe(observer)

  def evaluate(self) -> None:
    """Evaluates the model as it is."""
    self._loop.evaluate()

  def evaluate_newest(self) -> None:
    """Evaluates the newest checkpoint."""
    self._loop.evaluate_checkpoint(checkpoints.resolve(self._model_dir))

  def evaluate_continuously(self) -> None:
    """Evaluates each checkpoint that another process saves."""
    self._loop.evaluate_continuously(self._model_dir)


def _evaluator(parts: RunParts, board) -> Evaluator:
  options = parts.experiment.evaluator_options
  dataset = parts.architecture.dataset
  observers = []
  if parts.hosts.is_chief:
    observers = build_observers(
      parts.experiment, parts.output_dir, dataset, board
    )
  return Evaluator(
    parts.architecture,
    parts.data.eval(*parts.hosts),
    parts.global_step,
    batch_size=parts.experiment.eval_dataset_options.batch_size,
    truths=parts.data.truths(),
    observers=observers,
    use_tf_function=options.use_tf_function,
  )
