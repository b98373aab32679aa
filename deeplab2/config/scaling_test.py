import pytest

from deeplab2.config import config_pb2
from deeplab2.config.scaling import scaling_warnings


def experiment(batch_size, rate):
  made = config_pb2.ExperimentOptions()
  made.train_dataset_options.batch_size = batch_size
  made.trainer_options.solver_options.base_learning_rate = rate
  return made


def test_another_batch_at_the_same_rate_is_told_with_the_rate_in_proportion():
  found = list(scaling_warnings(experiment(64, 0.001), experiment(8, 0.001)))
  assert found == [
    "warning: 8 images a step, where the recipe has 64, at the recipe's"
    " learning rate, 0.001. It was tuned for those 64; in proportion it would"
    " be --set"
    " trainer_options.solver_options.base_learning_rate=0.000125"
  ]


@pytest.mark.parametrize(("batch", "rate"), [(64, 0.001), (64, 0.1), (8, 0.1)])
def test_the_recipe_and_whoever_thought_of_the_rate_are_left_alone(batch, rate):
  recipe = experiment(64, 0.001)
  assert list(scaling_warnings(recipe, experiment(batch, rate))) == []
