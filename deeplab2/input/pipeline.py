"""From records to batches: endless and shuffled to train, in order to evaluate.

Batch i of training is a function of (seed, i) and nothing else. A run that
stops and starts again at step i, on other hosts even, sees what it would have
seen.
"""

import tensorflow as tf

from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.records import Record, RecordIndex
from deeplab2.input.examples import augment, augment_and_paste, fit
from deeplab2.input.loader import RecordLoader
from deeplab2.input.order import EpochOrder
from deeplab2.input.segments import void_id
from deeplab2.input.settings import InputSettings, read_settings
from deeplab2.input.targets.max_deeplab import max_deeplab_targets
from deeplab2.structures import Batch, Sample

_PREFETCHED_BATCHES = 2
_INT64_MAX = 2**63 - 1


def train_batches(
  options,
  dataset: DatasetDescription,
  seed: int,
  start_step: int = 0,
  *,
  target_stride: int = 1,
  num_shards: int = 1,
  shard_index: int = 0,
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

  Returns:
    A dataset of `Batch` of static shape; `batch_size / num_shards` images each.

  Raises:
    ValueError: the options do not fit; names the field. A bad record stops the
      iteration with `tf.errors.InvalidArgumentError` that names its file.
  """
  settings = read_settings(options)
  if not settings.labelled:
    raise ValueError(
      "decode_groundtruth_label: expected true, training needs labels; "
      "got false."
    )
  _check_stride(target_stride, settings)
  per_host = _images_per_host(settings.batch_size, num_shards, shard_index)
  index = RecordIndex.from_patterns(options.file_pattern)
  loader = RecordLoader(index, dataset)
  order = EpochOrder(len(index), seed)
  paste_order = EpochOrder(len(index), seed, stream=1)

  def example(count: tf.Tensor) -> Batch:
    step, place = count // per_host, count % per_host
    position = step * settings.batch_size + shard_index * per_host + place
    image_seed = tf.stack([tf.constant(seed, tf.int64), position])
    record = loader.load_in_graph(order.record_in_graph(position))
    if settings.paste_scale:
      source = loader.load_in_graph(paste_order.record_in_graph(position))
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
  options, dataset: DatasetDescription, *, target_stride: int = 1
) -> tf.data.Dataset:
  """Every image once, in the order of the records, resized to fit the crop.

  The last batch holds what is left. Images without labels
  (`decode_groundtruth_label: false`) come with targets that are void all over.

  Args:
    options: a `DatasetOptions` message.
    dataset: the classes of its records.
    target_stride: keeps every n-th pixel of the target maps.

  Returns:
    A finite dataset of `Batch`, of static shape but for the batch axis, and of
    known cardinality.

  Raises:
    ValueError: as in `train_batches`.
  """
  settings = read_settings(options)
  _check_fits(settings)
  _check_stride(target_stride, settings)
  index = RecordIndex.from_patterns(options.file_pattern)
  loader = RecordLoader(index, dataset, settings.labelled)

  def example(number: tf.Tensor) -> Batch:
    record = loader.load_in_graph(number)
    sample, size = fit(record, settings, void_id(dataset.layout))
    return _with_targets(record, sample, size, settings, dataset, target_stride)

  numbers = tf.data.Dataset.range(len(index))
  return _batched(numbers, example, settings.batch_size, drop_remainder=False)


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
