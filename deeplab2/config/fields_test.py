from deeplab2.config import config_pb2
from deeplab2.config.fields import is_set, set_leaves, value_at


def experiment():
  message = config_pb2.ExperimentOptions(experiment_name="a")
  message.model_options.max_deeplab.auxiliary_low_level.add(feature_key="res3")
  message.model_options.max_deeplab.auxiliary_low_level.add(feature_key="res2")
  message.train_dataset_options.crop_size.extend([17, 33])
  return message


def test_leaves_are_the_values_that_were_set():
  low_level = "model_options.max_deeplab.auxiliary_low_level"
  assert [leaf.path for leaf in set_leaves(experiment())] == [
    "experiment_name",
    f"{low_level}.0.feature_key",
    f"{low_level}.1.feature_key",
    "train_dataset_options.crop_size",
  ]


def test_the_path_of_a_leaf_leads_to_its_value():
  message = experiment()
  for path, parent, field in set_leaves(message):
    assert value_at(message, path) == getattr(parent, field.name)


def test_a_value_that_was_not_set_is_its_default():
  assert value_at(experiment(), "trainer_options.steps_per_loop") == 1000


def test_a_default_is_not_set_but_an_equal_value_is():
  message = experiment()
  assert not is_set(message, "trainer_options.steps_per_loop")
  message.trainer_options.steps_per_loop = 1000
  assert is_set(message, "trainer_options.steps_per_loop")


def test_a_list_is_set_when_it_holds_something():
  message = experiment()
  assert is_set(message, "train_dataset_options.crop_size")
  assert not is_set(message, "eval_dataset_options.crop_size")
