import numpy as np
import pytest
import tensorflow as tf

from deeplab2.config.config_pb2 import ExperimentOptions
from deeplab2.inference.preprocessing import InputFit
from deeplab2.input.transforms.crop_and_pad import crop_and_pad
from deeplab2.input.transforms.resize import resize, size_in_range
from deeplab2.structures import Sample

CROP = (33, 49)


def _images(height, width, batch=1, seed=0):
  rng = np.random.default_rng(seed)
  return tf.constant(rng.integers(0, 256, (batch, height, width, 3), np.uint8))


def _resized(fit, height, width):
  return tuple(fit.resized_size(tf.constant([height, width])).numpy().tolist())


@pytest.mark.parametrize(
  ("size", "expected"),
  [
    ((480, 640), (481, 641)),
    ((100, 200), (320, 641)),
    ((1282, 641), (641, 320)),
    ((1, 5000), (1, 641)),
  ],
)
def test_with_one_bound_both_ways_the_longer_side_becomes_it(size, expected):
  """Sizes are the original's, but for the last, where it has no row left."""
  bound = (641, 641)
  fit = InputFit(crop_size=bound, min_size=bound, max_size=bound)
  assert _resized(fit, *size) == expected


def test_the_evaluation_pipeline_shows_the_model_the_same_image():
  fit = InputFit(crop_size=CROP, min_size=(31, 31), max_size=CROP)
  image = _images(23, 57)[0]
  sample = Sample(tf.cast(image, tf.float32), tf.zeros([23, 57], tf.int32))
  size = size_in_range(tf.constant([23, 57]), (31, 31), CROP)
  sample = crop_and_pad(
    resize(sample, size), CROP, tf.constant([0, 0]), label_fill=0
  )
  np.testing.assert_array_equal(fit.apply(image[None]).images[0], sample.image)


def test_without_bounds_only_what_exceeds_the_crop_is_shrunk():
  fit = InputFit(crop_size=CROP)
  assert _resized(fit, 31, 47) == (31, 47)
  assert _resized(fit, 66, 49) == (33, 24)


def test_sides_become_multiples_of_the_factor_plus_one():
  fit = InputFit(crop_size=(65, 65), max_size=(64, 64), factor=16)
  for size in [(7, 11), (64, 64), (640, 97), (97, 640)]:
    resized = np.array(_resized(fit, *size))
    assert ((resized - 1) % 16 == 0).all()
    assert (resized <= 49).all()


def test_images_of_the_crop_size_stay_as_they_are():
  images = _images(*CROP)
  fitted = InputFit(crop_size=CROP).apply(images)
  np.testing.assert_array_equal(fitted.images, tf.cast(images, tf.float32))
  assert fitted.padded_size == CROP


def test_padding_is_grey_at_the_bottom_and_on_the_right():
  images = _images(29, 41)
  fitted = InputFit(crop_size=CROP).apply(images)
  np.testing.assert_array_equal(
    fitted.images[:, :29, :41], tf.cast(images, tf.float32)
  )
  assert (fitted.images[:, 29:].numpy() == 127.5).all()
  assert (fitted.images[:, :, 41:].numpy() == 127.5).all()


def test_without_a_crop_size_an_image_grows_to_the_next_allowed_size():
  fit = InputFit(stride=16)
  assert fit.apply(_images(17, 34)).padded_size == (17, 49)
  assert fit.apply(_images(1, 1)).padded_size == (17, 17)
  assert fit.apply(_images(33, 35)).padded_size == (33, 49)


@pytest.mark.parametrize("size", [(29, 41), (61, 90), (5, 7), (1, 300)])
def test_maps_come_back_at_the_image_size_without_the_padding(size):
  fit = InputFit(crop_size=CROP, min_size=(31, 31), max_size=CROP)
  fitted = fit.apply(_images(*size))
  height, width = fitted.valid_size.numpy()
  rows, columns = np.mgrid[: CROP[0], : CROP[1]]
  inside = (rows < height) & (columns < width)
  maps = tf.constant(np.where(inside, 100 * rows + columns, -1)[None])
  restored = fitted.undo(maps).numpy()
  assert restored.shape == (1, *size)
  assert (restored >= 0).all()
  # The corners stay corners.
  assert restored[0, 0, 0] == 0
  if min(size) > 1:
    assert restored[0, -1, -1] == 100 * (height - 1) + width - 1


def test_undoing_no_change_gives_the_map_itself():
  maps = tf.constant(np.arange(33 * 49, dtype=np.int32).reshape(1, *CROP))
  fitted = InputFit(crop_size=CROP).apply(_images(*CROP))
  np.testing.assert_array_equal(fitted.undo(maps), maps)


def test_features_at_a_stride_are_aligned_with_the_image():
  """A plane in the padded image is the same plane in the image.

  The original crops features of stride 4 at full resolution, which leaves the
  padding in and stretches the rest (deeplab2.md, D21).
  """
  fitted = InputFit(crop_size=CROP).apply(_images(29, 41))
  rows, columns = np.mgrid[0:33:4, 0:49:4].astype(np.float32)
  features = tf.constant(np.stack([rows, columns], axis=-1)[None])
  restored = fitted.undo_bilinear(features).numpy()
  expected = np.stack(np.mgrid[:29, :41], axis=-1)
  np.testing.assert_allclose(restored[0], expected, atol=1e-4)


def test_graph_of_unknown_sizes_agrees_with_eager():
  fit = InputFit(min_size=(20, 20), max_size=(40, 40))

  @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)])
  def there_and_back(images):
    fitted = fit.apply(images)
    return fitted.images, fitted.undo(fitted.images[..., 0])

  images = _images(31, 57, batch=2)
  fitted = fit.apply(images)
  padded, restored = there_and_back(images)
  np.testing.assert_array_equal(padded, fitted.images)
  np.testing.assert_array_equal(restored, fitted.undo(fitted.images[..., 0]))


def test_the_evaluation_options_say_how():
  experiment = ExperimentOptions()
  experiment.model_options.backbone.output_stride = 16
  options = experiment.eval_dataset_options
  options.crop_size.extend([65, 97])
  options.min_resize_value.append(65)
  options.max_resize_value.extend([0, 0])
  options.resize_factor = 16
  assert InputFit.from_experiment(experiment) == InputFit(
    crop_size=(65, 97), min_size=(65, 65), max_size=None, factor=16, stride=16
  )
  full_size = InputFit.from_experiment(experiment, full_size=True)
  assert full_size == InputFit(stride=16)


def test_three_sizes_are_refused():
  experiment = ExperimentOptions()
  experiment.eval_dataset_options.crop_size.extend([65, 65, 3])
  with pytest.raises(ValueError) as error:
    InputFit.from_experiment(experiment)
  assert str(error.value) == (
    "eval_dataset_options.crop_size: expected one value or height and width, "
    "such as 641,641; got [65, 65, 3]."
  )
