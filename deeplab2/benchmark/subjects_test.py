import numpy as np
import pytest
import tensorflow as tf

from deeplab2.benchmark import jobs, subjects
from deeplab2.benchmark.conftest import small_job
from deeplab2.benchmark.subjects import SUBJECTS, build_subject
from deeplab2.losses import matching
from deeplab2.training import fake_architecture as fake


def _call(part, architecture, experiment, **changes):
  job = small_job(part, **changes)
  subject = build_subject(architecture, experiment, job)
  return subject, subject.call()


def test_every_timed_part_has_its_subject():
  assert set(SUBJECTS) == set(jobs.TIMED)


def test_the_network_answers_for_each_image(architecture, experiment):
  subject, classes = _call("network", architecture, experiment, batch=2)
  assert subject.images == 2
  assert classes.shape[:2] == (2, 29)


def test_a_prediction_is_a_map_of_the_images_size(architecture, experiment):
  _, panoptic = _call("prediction", architecture, experiment)
  assert panoptic.shape == (1, 33, 33)


def test_post_processing_gives_maps_of_more_than_void(architecture, experiment):
  _, panoptic = _call("postprocess", architecture, experiment, size=65)
  assert panoptic.shape == (1, 65, 65)
  assert len(np.unique(panoptic)) > 1


def test_quality_is_that_of_maps_with_a_few_mistakes(architecture, experiment):
  subject, result = _call("quality", architecture, experiment, size=97, batch=3)
  assert subject.images == 3
  quality = result.all.pq
  assert 0.1 < quality < 0.9


def test_the_loss_is_a_finite_number(architecture, experiment):
  _, total = _call("loss", architecture, experiment, batch=2)
  assert np.isfinite(total)
  assert total > 0


@pytest.mark.parametrize("mode", jobs.MODES)
def test_matching_is_that_of_the_mode(architecture, experiment, mode):
  _, slots = _call("matching", architecture, experiment, mode=mode, batch=2)
  similarity = np.random.default_rng(0).random((2, 23, 29), "f4")
  expected = matching.match(tf.constant(similarity), tf.ones((2, 23), tf.bool))
  rows = np.arange(23)
  for values, ours, theirs in zip(similarity, slots, expected, strict=True):
    np.testing.assert_allclose(
      values[rows, ours].sum(), values[rows, theirs].sum(), rtol=1e-6
    )


def test_a_training_step_moves_the_weights():
  experiment = fake.experiment(warmup_steps=0)
  architecture = fake.build(experiment)
  before = [v.numpy() for v in architecture.model.trainable_variables]
  _call("train_step", architecture, experiment)
  after = [v.numpy() for v in architecture.model.trainable_variables]
  assert any((a != b).any() for a, b in zip(before, after, strict=True))


def test_a_step_without_its_update_has_gradients(architecture, experiment):
  job = small_job("train_step", batch=2)
  subject = subjects.value_and_gradient(architecture, experiment, job)
  gradient = subject.call()
  assert gradient.shape == architecture.model.trainable_variables[0].shape
  assert np.isfinite(gradient).all()
  assert gradient.any()


def test_a_backend_refuses_what_it_does_not_run(
  architecture, experiment, monkeypatch
):
  monkeypatch.setattr(subjects, "backend", lambda: "torch")
  with pytest.raises(ValueError) as error:
    _call("input", architecture, experiment)
  assert str(error.value) == (
    "parts: expected some of network, prediction, train_step under torch; got "
    "'input'."
  )


def test_a_step_that_is_not_finite_is_no_step():
  experiment = fake.experiment(base_learning_rate=1e30, warmup_steps=0)
  architecture = fake.build(experiment)
  subject, _ = _call("train_step", architecture, experiment)
  with pytest.raises(FloatingPointError):
    for _ in range(3):
      subject.call()
