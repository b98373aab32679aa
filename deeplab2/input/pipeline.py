"""From records to batches: endless and shuffled to train, in order to evaluate.

Batch i of training is a function of (seed, i) and nothing else. A run that
stops and starts again at step i, on other hosts even, sees what it would have
seen. That holds with bad records too, up to `max_bad_records` of which are
passed over: in training a good one takes the place of each, in evaluation there
is a hole in the batch.
"""

import numpy as np
import tensorflow as tf

from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.records import Record, RecordIndex
from deeplab2.input.bad_records import BadRecords
from deeplab2.input.crowding import Crowding
from deeplab2.input.examples import augment, augment_and_paste, fit
from deeplab2.input.loader import RecordLoader
from deeplab2.input.order import EpochOrder
from deeplab2.input.segments import void_id
from deeplab2.input.settings import InputSettings, read_settings
from deeplab2.input.targets.max_deeplab import max_deeplab_targets
from deeplab2.structures import Batch, Sample

_PREFETCHED_BATCHES = 2
_INT64_MAX = 2**63 - 1

# Independent orders of a run's records.
_IMAGES, _PASTED, _SPARE_IMAGES, _SPARE_PASTED = range(4)


def train_batches(
  options,
  dataset: DatasetDescription,
  seed: int,
  start_step: int = 0,
  *,
  target_stride: int = 1,
  num_shards: int = 1,
  shard_index: int = 0,
  bad: BadRecords | None = None,
  crowding: Crowding | None = None,
) -> tf.data.Dataset:
  """Augmented batches without end.

  Args:
    options: a `DatasetOptions` message.
    dataset: the classes of its records.
    seed: of the run; orders the records and draws the augmentations.
    start_step: number of the first batch.
    target_stride: keeps every n-th pixel of the target maps; the stride of the
      logits saves time and changes no loss.
    num_shards: hosts that share each batch.
    shard_index: which part of each batch this host makes.
    bad: counts the records that are passed over; by default up to
      `max_bad_records` of the options.
    crowding: counts the images that hold too much.

  Returns:
    A dataset of `Batch` of static shape; `batch_size / num_shards` images each.

  Raises:
    ValueError: the options do not fit; names the field. One bad record too many
      stops the iteration with `tf.errors.InvalidArgumentError` that names them.
  """
  settings = read_settings(options)
  if not settings.labelled:
    raise ValueError(
      "decode_groundtruth_label: expected true, training needs labels; "
      "got false."
    )
  _check_stride(target_stride, settings)
  per_host = _images_per_host(settings.batch_size, num_shards, shard_index)
  bad = bad or BadRecords(options.max_bad_records)
  index = _index(options, bad)
  loader = RecordLoader(index, dataset, bad=bad, crowding=crowding)
  for where in bad.suspects:
    if (number := index.number_at(where)) is not None:
      loader.load_unless_bad(number)
  order, paste_order, spare_order, spare_paste_order = (
    EpochOrder(len(index), seed, stream)
    for stream in (_IMAGES, _PASTED, _SPARE_IMAGES, _SPARE_PASTED)
  )

  def example(count: tf.Tensor) -> Batch:
    step, place = count // per_host, count % per_host
    position = step * settings.batch_size + shard_index * per_host + place
    image_seed = tf.stack([tf.constant(seed, tf.int64), position])
    record = loader.load_at_in_graph(position, order, spare_order)
    if settings.paste_scale:
      source = loader.load_at_in_graph(position, paste_order, spare_paste_order)
      sample, size = augment_and_paste(
        record, source, settings, dataset.layout, image_seed
      )
    else:
      sample, size = augment(
        record, settings, settings.scales, image_seed, void_id(dataset.layout)
      )
    return _with_targets(record, sample, size, settings, dataset, target_stride)

  counts = tf.data.Dataset.range(start_step * per_host, _INT64_MAX)
  return _batched(counts, example, per_host, drop_remainder=True)


def eval_batches(
  options,
  dataset: DatasetDescription,
  *,
  target_stride: int = 1,
  num_shards: int = 1,
  shard_index: int = 0,
  bad: BadRecords | None = None,
) -> tf.data.Dataset:
  """Every image once, in the order of the records, resized to fit the crop.

  The last batch holds what is left. Images without labels
  (`decode_groundtruth_label: false`) come with targets that are void all over.
  In the place of a bad record stands a void image whose valid size is -1, -1.

  Several hosts get equally many batches, all of them full: what is missing at
  the end repeats the last image, with a valid size of 0, 0.

  Args:
    options: a `DatasetOptions` message.
    dataset: the classes of its records.
    target_stride: keeps every n-th pixel of the target maps.
    num_shards: hosts that share each batch.
    shard_index: which part of each batch this host makes.
    bad: as in `train_batches`.

  Returns:
    A finite dataset of `Batch`, of static shape but for the batch axis, and of
    known cardinality.

  Raises:
    ValueError: as in `train_batches`.
  """
  settings = read_settings(options)
  _check_fits(settings)
  _check_stride(target_stride, settings)
  bad = bad or BadRecords(options.max_bad_records)
  index = _index(options, bad)
  loader = RecordLoader(index, dataset, settings.labelled, bad=bad)

  def example(number: tf.Tensor) -> Batch:
    record, is_good = loader.load_in_graph(tf.minimum(number, len(index) - 1))
    sample, size = fit(record, settings, void_id(dataset.layout))
    size = tf.where(is_good, size, -1)
    size = tf.where(number < len(index), size, 0)
    return _with_targets(record, sample, size, settings, dataset, target_stride)

  per_host = _images_per_host(settings.batch_size, num_shards, shard_index)
  if num_shards == 1:
    numbers = tf.data.Dataset.range(len(index))
  else:
    numbers = _shard(len(index), settings.batch_size, num_shards, shard_index)
  return _batched(numbers, example, per_host, drop_remainder=False)


def _shard(
  count: int, batch_size: int, num_shards: int, shard_index: int
) -> tf.data.Dataset:
  """Numbers of one host's images in all batches, some beyond the last."""
  batches = -(-count // batch_size)
  numbers = np.arange(batches * batch_size, dtype=np.int64)
  parts = numbers.reshape(batches, num_shards, -1)[:, shard_index]
  return tf.data.Dataset.from_tensor_slices(parts.ravel())


def _index(options, bad: BadRecords) -> RecordIndex:
  """The records; what shows to be damaged before it is read is counted."""
  index = RecordIndex.from_patterns(
    options.file_pattern, allow_damage=bad.limit > 0
  )
  for number, problem in index.damage.items():
    bad.add(index.where(number), problem)
  return index


def _with_targets(
  record: Record,
  sample: Sample,
  valid_size: tf.Tensor,
  settings: InputSettings,
  dataset: DatasetDescription,
  stride: int,
) -> Batch:
  """One element of a batch: all fields without the batch axis."""
  targets = max_deeplab_targets(
    sample.panoptic,
    dataset.layout,
    settings.max_things,
    settings.small_instances,
    stride,
  )
  return Batch(
    image=sample.image,
    targets=targets,
    name=record.name,
    valid_size=valid_size,
    raw_size=tf.shape(record.panoptic),
  )


def _batched(
  counts: tf.data.Dataset, example, size: int, drop_remainder: bool
) -> tf.data.Dataset:
  options = tf.data.Options()
  options.deterministic = True
  # Hosts take their parts by number; splitting files would change the batches.
  options.experimental_distribute.auto_shard_policy = (
    tf.data.experimental.AutoShardPolicy.OFF
  )
  # Nothing in an example needs Python rewritten; not trying is much quicker.
  example = tf.autograph.experimental.do_not_convert(example)
  return (
    counts.map(example, num_parallel_calls=tf.data.AUTOTUNE)
    .batch(size, drop_remainder=drop_remainder)
    .prefetch(_PREFETCHED_BATCHES)
    .with_options(options)
  )


def _images_per_host(batch_size: int, num_shards: int, shard_index: int) -> int:
  if not 0 <= shard_index < num_shards:
    raise ValueError(
      f"shard_index: expected 0..{num_shards - 1}; got {shard_index}."
    )
  if batch_size % num_shards:
    raise ValueError(
      f"batch_size: expected a multiple of the {num_shards} hosts; "
      f"got {batch_size}."
    )
  return batch_size // num_shards


def _check_fits(settings: InputSettings):
  if not settings.max_size:
    return
  crop_height, crop_width = settings.crop_size
  height, width = settings.max_size
  if height > crop_height or width > crop_width:
    raise ValueError(
      f"max_resize_value: expected at most the crop size {settings.crop_size}, "
      f"into which evaluation fits each image; got {settings.max_size}."
    )


def _check_stride(stride: int, settings: InputSettings):
  if stride < 1 or any((side - 1) % stride for side in settings.crop_size):
    raise ValueError(
      f"target_stride: expected a divisor of each side of crop_size less 1, "
      f"such as 4 for 641; got {stride} for {settings.crop_size}."
    )
