import pytest

from deeplab2.training import fake_architecture as fake
from deeplab2.training.run import run_experiment
from deeplab2.training.scoring import score_checkpoint


class Unlabelled(fake.Data):
  def truths(self):
    return None


@pytest.fixture
def trained(tmp_path):
  experiment = fake.experiment()
  metrics = run_experiment(
    experiment,
    "train_and_eval",
    str(tmp_path),
    build=fake.build,
    data=fake.Data,
    log=lambda line: None,
  )
  return experiment, str(tmp_path), metrics["eval"]


def test_scores_what_the_run_scored(trained):
  experiment, model_dir, expected = trained
  found = score_checkpoint(
    experiment, model_dir, build=fake.build, data=fake.Data
  )
  found = found.to_dict(fake.DATASET.class_names)
  assert found["panoptic_quality"] == expected["panoptic_quality"]
  assert found["losses"] == pytest.approx(expected["losses"], rel=1e-6)
  assert found["images"] == 7


def test_refuses_images_without_labels(trained):
  experiment, model_dir, _ = trained
  with pytest.raises(ValueError) as error:
    score_checkpoint(experiment, model_dir, build=fake.build, data=Unlabelled)
  assert str(error.value) == (
    "eval_dataset_options.decode_groundtruth_label: expected true, scores need "
    "labels; got false."
  )
