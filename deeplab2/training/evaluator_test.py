import keras
import numpy as np
import orbit
import pytest
import tensorflow as tf

from deeplab2.training import fake_architecture as fake
from deeplab2.training.evaluator import Evaluator, filled_up, nearest

IMAGES = 7
BATCH_SIZE = 4


class Watcher:
  """Remembers what it was shown."""

  def __init__(self):
    self.calls = []

  def start(self):
    self.calls = ["start"]

  def see(self, scored):
    self.calls.append(scored)

  def finish(self, step):
    self.calls.append(step)


def evaluate(strategy, steps=-1, labelled=True, watcher=None, bad=()):
  keras.utils.set_random_seed(0)
  experiment = fake.experiment()
  experiment.eval_dataset_options.batch_size = BATCH_SIZE
  with strategy.scope():
    architecture = fake.build(experiment)
    data = fake.Data(experiment, architecture.dataset)
    evaluator = Evaluator(
      architecture,
      with_holes(data.eval(), bad),
      orbit.utils.create_global_step(),
      batch_size=BATCH_SIZE,
      truths=data.truths() if labelled else None,
      observers=[watcher] if watcher else [],
    )
    return evaluator.evaluate(tf.constant(steps))


def with_holes(batches, bad):
  """The batches as if the images of these numbers could not be read."""

  def broken(start, batch):
    rows = start * BATCH_SIZE + tf.range(tf.shape(batch.name)[0], dtype="int64")
    is_bad = tf.reduce_any(rows[:, None] == tf.constant(bad, tf.int64), axis=1)
    valid_size = tf.where(is_bad[:, None], -1, batch.valid_size)
    return batch._replace(valid_size=valid_size)

  return batches.enumerate().map(broken) if bad else batches


def test_images_that_cannot_be_read_are_counted_apart(one_device):
  watcher = Watcher()
  found = evaluate(one_device, watcher=watcher, bad=[1, IMAGES - 1])
  assert (found.images, found.missing) == (IMAGES - 2, 2)
  seen = watcher.calls[1:-1]
  assert [s.name for s in seen] == [f"{1000 + i}" for i in (0, 2, 3, 4, 5)]
  for scored in seen:
    batch = fake.batch(int(scored.name), 1)
    np.testing.assert_array_equal(
      scored.truth.panoptic, batch.targets.panoptic[0]
    )
  assert found.scalars(fake.DATASET.class_names)["missing_images"] == 2
  with pytest.raises(ValueError) as error:
    evaluate(one_device, bad=[*range(IMAGES)])
  assert str(error.value) == (
    "eval_dataset_options.file_pattern: expected an image to score; all 7 are "
    "bad."
  )


def test_two_devices_find_what_one_finds(one_device, two_devices):
  watcher = Watcher()
  one = evaluate(one_device, watcher=watcher)
  two = evaluate(two_devices)
  assert one.images == two.images == IMAGES
  np.testing.assert_array_equal(one.quality.pq, two.quality.pq)
  for name, value in one.losses.items():
    np.testing.assert_allclose(two.losses[name], value, rtol=1e-5)
  check_what_observers_saw(watcher)
  check_scalars(one)


def check_what_observers_saw(watcher):
  start, *seen, step = watcher.calls
  assert (start, step) == ("start", 0)
  assert [s.name for s in seen] == [str(1000 + i) for i in range(IMAGES)]
  for i, scored in enumerate(seen):
    batch = fake.batch(1000 + i, 1)
    np.testing.assert_array_equal(scored.image, batch.image[0])
    np.testing.assert_array_equal(
      scored.truth.panoptic, batch.targets.panoptic[0]
    )
    assert scored.prediction.shape == fake.SIZE


def check_scalars(found):
  scalars = found.scalars(fake.DATASET.class_names)
  assert scalars["pq/all"] == found.quality.all.pq
  assert scalars["pq_per_class/red"] == found.quality.pq[1]
  assert scalars["losses/total_loss"] == found.losses["total_loss"]
  assert not any("void" in name for name in scalars)


def test_images_without_labels_are_predicted_and_not_scored(one_device):
  watcher = Watcher()
  found = evaluate(one_device, steps=1, labelled=False, watcher=watcher)
  assert found.images == BATCH_SIZE
  assert found.quality is None
  assert found.losses == {}
  assert watcher.calls[1].truth is None
  assert found.to_dict(fake.DATASET.class_names) == {
    "step": 0,
    "images": BATCH_SIZE,
    "missing_images": 0,
    "losses": {},
  }


def test_a_partial_batch_is_filled_with_images_that_do_not_count():
  batch = fake.batch(0, 3)
  full = filled_up(batch, 5)
  assert full.valid_size[:, 0].numpy().tolist() == [17, 17, 17, 0, 0]
  np.testing.assert_array_equal(full.image[:3], batch.image)
  np.testing.assert_array_equal(full.image[4], batch.image[2])
  assert full.targets.semantic.shape[0] == 5


def test_a_full_batch_stays_as_it_is():
  batch = fake.batch(0, 3)
  tf.nest.map_structure(
    np.testing.assert_array_equal, filled_up(batch, 3), batch
  )


@pytest.mark.parametrize("size", [(5, 7), (9, 13), (3, 4)])
def test_nearest_puts_corners_on_corners(size):
  panoptic = np.arange(35, dtype=np.int32).reshape(5, 7)
  resized = nearest(panoptic, size)
  assert resized.shape == size
  assert set(resized.flat) <= set(panoptic.flat)
  np.testing.assert_array_equal(
    resized[[0, 0, -1, -1], [0, -1, 0, -1]],
    panoptic[[0, 0, -1, -1], [0, -1, 0, -1]],
  )
