import numpy as np
import tensorflow as tf

from deeplab2.benchmark import scenes
from deeplab2.datasets import load_dataset

LAYOUT = load_dataset("coco_panoptic").layout


def test_labels_have_the_promised_segments():
  labels = scenes.block_labels(LAYOUT, 65)
  semantic, instance = LAYOUT.codec.decode(np.unique(labels))
  things = np.isin(semantic, LAYOUT.thing_ids)
  assert things.sum() == scenes.THINGS
  assert (instance[things] > 0).all()
  assert np.isin(semantic, LAYOUT.stuff_ids).sum() == scenes.STUFF
  assert LAYOUT.ignore_label in semantic


def test_batches_are_as_the_input_pipeline_makes_them(architecture, experiment):
  options = experiment.train_dataset_options
  batch = scenes.block_batch(architecture, options, batch=2, size=65)
  assert batch.image.shape == (2, 65, 65, 3)
  assert batch.targets.panoptic.shape == (2, 17, 17)
  assert batch.targets.thing_class.shape == (2, options.max_thing_id)
  assert (batch.targets.thing_class[0] > 0).numpy().sum() == scenes.THINGS


def test_predictions_have_the_models_shapes(architecture):
  found = scenes.random_prediction(architecture, batch=2, size=65)
  real = architecture.model(scenes.random_images(2, 65), training=False)
  for ours, theirs in zip(found, real, strict=True):
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
  lengths = np.linalg.norm(found.pixel_features, axis=-1)
  np.testing.assert_allclose(lengths, 1.0, rtol=1e-5)


def test_as_many_slots_are_sure_as_an_image_has_segments(architecture):
  found = scenes.random_prediction(architecture, batch=3, size=65)
  sureness = tf.nn.softmax(found.class_logits)[..., :-1].numpy().max(-1)
  expected = min(scenes.THINGS + scenes.STUFF, sureness.shape[1])
  np.testing.assert_array_equal((sureness > 0.99).sum(-1), [expected] * 3)
  np.testing.assert_array_equal((sureness > 0.5).sum(-1), [expected] * 3)


def test_some_predicted_masks_pass_and_some_do_not(architecture):
  found = scenes.random_prediction(architecture, batch=1, size=65)
  semantic = architecture.postprocess(found, (65, 65)).panoptic.numpy()
  assert len(np.unique(semantic)) > 1
