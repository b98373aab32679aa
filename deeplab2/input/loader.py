"""Reading one record inside `tf.data`, with errors that say which one.

Records are taken apart in Python, not by ops of the graph: an error of an op
cannot tell the file. It costs the same; nearly all is the image's decoding.
"""

import numpy as np
import tensorflow as tf

from deeplab2.datasets import records
from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.label_formats import decode_label
from deeplab2.datasets.records import Record, RecordIndex
from deeplab2.input.segments import void_id


class RecordLoader:
  """Reads, decodes and checks records by number. Any thread may use it.

  Args:
    index: the records.
    dataset: the classes that labels may use.
    labelled: whether the records hold labels; otherwise an image is void all
      over, and evaluates to nothing.
  """

  def __init__(
    self, index: RecordIndex, dataset: DatasetDescription, labelled: bool = True
  ):
    self._index = index
    self._dataset = dataset
    self._labelled = labelled

  def load(self, number: int) -> Record:
    """One record, eagerly; the label is a numpy array.

    Raises:
      ValueError: it cannot be read or decoded, or its label uses a class that
        the dataset has not; names the file and the record.
    """
    data = self._index.read(number)
    try:
      return self._decode(_features(data))
    except ValueError as error:
      raise ValueError(f"{self._index.where(number)}: {error}") from error

  def load_in_graph(self, number: tf.Tensor) -> Record:
    """The same inside `tf.data`: scalar int64 to a record of tensors."""
    image, panoptic, name = tf.py_function(
      lambda number: self.load(int(number)),
      [number],
      [tf.uint8, tf.int32, tf.string],
    )
    return Record(
      image=tf.ensure_shape(image, [None, None, 3]),
      panoptic=tf.ensure_shape(panoptic, [None, None]),
      name=tf.ensure_shape(name, []),
    )

  def _decode(self, features) -> Record:
    image = _decode_image(_one(features, records.IMAGE))
    size = (_one(features, records.HEIGHT), _one(features, records.WIDTH))
    if image.shape[:2] != size:
      raise ValueError(
        f"height and width: expected those of the image, "
        f"{tuple(image.shape[:2])}; got {size}."
      )
    if self._labelled:
      panoptic = _decode_label(features, size)
      self._check_classes(panoptic)
    else:
      panoptic = np.full(size, void_id(self._dataset.layout), np.int32)
    return Record(image, panoptic, _one(features, records.NAME))

  def _check_classes(self, panoptic: np.ndarray):
    divisor, num_classes = self._dataset.divisor, self._dataset.num_classes
    if panoptic.min() >= 0 and panoptic.max() < num_classes * divisor:
      return
    void = void_id(self._dataset.layout)
    known = (panoptic >= 0) & (panoptic < num_classes * divisor)
    known |= (panoptic >= void) & (panoptic < void + divisor)
    if not known.all():
      raise ValueError(
        f"{records.LABEL}: expected ids of the classes 0..{num_classes - 1} "
        f"and {self._dataset.ignore_label}, times {divisor}; "
        f"got {panoptic[~known][0]}."
      )


def _features(data: bytes):
  """The features of a serialized example, by name."""
  try:
    return tf.train.Example.FromString(data).features.feature
  except Exception as error:  # protobuf's own class differs by its backend
    raise ValueError(f"expected a tf.train.Example; {error}.") from error


def _one(features, name: str) -> bytes | int:
  """The single value of a feature."""
  feature = features.get(name, tf.train.Feature())
  values = feature.bytes_list.value or feature.int64_list.value
  if len(values) == 1:
    return values[0]
  hint = ""
  if name == records.LABEL:
    hint = ", or decode_groundtruth_label: false for unlabelled records"
  raise ValueError(f"{name}: expected one value{hint}; got {len(values)}.")


def _decode_image(data: bytes) -> tf.Tensor:
  """h w 3  uint8"""
  try:
    return tf.io.decode_image(data, channels=3, expand_animations=False)
  except tf.errors.InvalidArgumentError as error:
    raise ValueError(
      f"{records.IMAGE}: expected a whole JPEG or PNG image; "
      f"got {len(data)} bytes that do not decode: {_plain(error)}"
    ) from error


def _decode_label(features, size: tuple[int, int]) -> np.ndarray:
  """h w  int32"""
  data = _one(features, records.LABEL)
  stated = records.DEFAULT_LABEL_FORMAT
  if records.LABEL_FORMAT in features:
    stated = _one(features, records.LABEL_FORMAT)
  try:
    return decode_label(data, stated, size)
  except ValueError as error:
    raise ValueError(f"{records.LABEL}: {error}") from error


def _plain(error: tf.errors.OpError) -> str:
  """TensorFlow's message without the names of nodes and ops."""
  return error.message.split("}}")[-1].split("[Op:")[0].strip()
