"""Reading one record inside `tf.data`, with errors that say which one.

Records are taken apart in Python, not by ops of the graph: an error of an op
cannot tell the file. It costs the same; nearly all is the image's decoding.
"""

import atexit
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from deeplab2.datasets import records
from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.image_header import image_size
from deeplab2.datasets.label_formats import decode_label
from deeplab2.datasets.records import Record, RecordIndex
from deeplab2.input.at_exit import end_iterators
from deeplab2.input.bad_records import BadRecords, TooManyBadRecordsError
from deeplab2.input.crowding import Crowding
from deeplab2.input.order import EpochOrder
from deeplab2.input.segments import void_id

atexit.register(end_iterators)  # those of this pipeline call Python


class RecordLoader:
  """Reads, decodes and checks records by number. Any thread may use it.

  Args:
    index: the records.
    dataset: the classes that labels may use.
    labelled: whether the records hold labels; otherwise an image is void all
      over, and evaluates to nothing.
    bad: counts the records that are passed over; by default none may be.
    crowding: looks at the label of each record.
  """

  def __init__(
    self,
    index: RecordIndex,
    dataset: DatasetDescription,
    labelled: bool = True,
    *,
    bad: BadRecords | None = None,
    crowding: Crowding | None = None,
  ):
    self._index = index
    self._dataset = dataset
    self._labelled = labelled
    self._bad = bad or BadRecords()
    self._crowding = crowding

  def load(self, number: int) -> Record:
    """One record, eagerly; the label is a numpy array.

    Raises:
      ValueError: it cannot be read or decoded, or its label uses a class that
        the dataset has not; names the file and the record.
    """
    data = self._index.read(number)
    try:
      record = self._decode(_features(data))
    except ValueError as error:
      raise ValueError(f"{self._index.where(number)}: {error}") from error
    if self._crowding and self._labelled:
      self._crowding.look_at(self._index.where(number), record.panoptic)
    return record

  def load_unless_bad(self, number: int) -> Record | None:
    """One record, or None if it is bad, which is counted.

    Raises:
      TooManyBadRecordsError: more are bad than may be.
    """
    try:
      return self.load(number)
    except ValueError as error:
      where = self._index.where(number)
      self._bad.add(where, str(error).removeprefix(f"{where}: "))
      return None

  def load_at(
    self, position: int, order: EpochOrder, spare: EpochOrder
  ) -> Record:
    """The record at a position of an order, or a good one in its place.

    That is the first good one of another order from the same position on. So
    the record is a function of position and files alone, whichever records were
    met before.

    Raises:
      TooManyBadRecordsError: more are bad than may be, or all are.
    """
    record = self.load_unless_bad(order.record(position))
    # Twice as many positions as records hold a whole epoch of the order.
    for place in range(position, position + 2 * len(self._index)):
      if record is not None:
        return record
      record = self.load_unless_bad(spare.record(place))
    raise TooManyBadRecordsError(
      f"file_pattern: expected records that can be read; all "
      f"{len(self._index)} are bad, such as {self._index.where(0)}."
    )

  def load_at_in_graph(
    self, position: tf.Tensor, order: EpochOrder, spare: EpochOrder
  ) -> Record:
    """The same inside `tf.data`: scalar int64 to a record of tensors."""
    return _in_graph(
      lambda position: self.load_at(position, order, spare), position
    )

  def load_in_graph(self, number: tf.Tensor) -> tuple[Record, tf.Tensor]:
    """A record by number inside `tf.data`, and whether it is good.

    In the place of a bad one stands a void pixel without a name.
    """
    record = _in_graph(
      lambda number: self.load_unless_bad(number) or self._nothing(), number
    )
    return record, tf.not_equal(record.name, "")

  def _nothing(self) -> Record:
    void = np.full((1, 1), void_id(self._dataset.layout), np.int32)
    return Record(np.zeros((1, 1, 3), np.uint8), void, b"")

  def _decode(self, features) -> Record:
    name = _name(features)
    data = _one(features, records.IMAGE, bytes)
    size = tuple(
      _one(features, side, int) for side in (records.HEIGHT, records.WIDTH)
    )
    image = _decode_image(data, size)
    if self._labelled:
      panoptic = _decode_label(features, size)
      self._check_classes(panoptic)
    else:
      panoptic = np.full(size, void_id(self._dataset.layout), np.int32)
    return Record(image, panoptic, name)

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


def _in_graph(load: Callable[[int], Record], number: tf.Tensor) -> Record:
  """Calls `load` for a scalar int64 when the graph runs."""
  image, panoptic, name = tf.py_function(
    lambda number: load(int(number)), [number], [tf.uint8, tf.int32, tf.string]
  )
  return Record(
    image=tf.ensure_shape(image, [None, None, 3]),
    panoptic=tf.ensure_shape(panoptic, [None, None]),
    name=tf.ensure_shape(name, []),
  )


def _features(data: bytes):
  """The features of a serialized example, by name."""
  try:
    return tf.train.Example.FromString(data).features.feature
  except Exception as error:  # protobuf's own class differs by its backend
    raise ValueError(f"expected a tf.train.Example; {error}.") from error


def _one(features, name: str, kind: type) -> bytes | int:
  """The single value of a feature."""
  feature = features.get(name, tf.train.Feature())
  values = feature.bytes_list.value or feature.int64_list.value
  hint = ""
  if name == records.LABEL:
    hint = ", or decode_groundtruth_label: false for unlabelled records"
  if len(values) != 1:
    raise ValueError(f"{name}: expected one value{hint}; got {len(values)}.")
  if not isinstance(values[0], kind):
    raise ValueError(
      f"{name}: expected {kind.__name__}; got {type(values[0]).__name__}."
    )
  return values[0]


def _name(features) -> bytes:
  """The name of the image, which is never empty."""
  name = _one(features, records.NAME, bytes)
  try:
    readable = bool(name.decode())
  except UnicodeDecodeError:
    readable = False
  if not readable:
    raise ValueError(f"{records.NAME}: expected a text in UTF-8; got {name!r}.")
  return name


def _decode_image(data: bytes, size: tuple[int, int]) -> tf.Tensor:
  """h w 3  uint8, of the size that is stated."""
  try:
    found = image_size(data)
    if found != size:
      raise ValueError(
        f"expected the stated height and width {size}; got {found}."
      )
    return tf.io.decode_image(data, channels=3, expand_animations=False)
  except tf.errors.OpError as error:
    raise ValueError(
      f"{records.IMAGE}: expected a whole JPEG or PNG image; "
      f"got {len(data)} bytes that do not decode: {_plain(error)}"
    ) from error
  except ValueError as error:
    raise ValueError(f"{records.IMAGE}: {error}") from error


def _decode_label(features, size: tuple[int, int]) -> np.ndarray:
  """h w  int32"""
  data = _one(features, records.LABEL, bytes)
  stated = records.DEFAULT_LABEL_FORMAT
  if records.LABEL_FORMAT in features:
    stated = _one(features, records.LABEL_FORMAT, bytes)
  try:
    return decode_label(data, stated, size)
  except ValueError as error:
    raise ValueError(f"{records.LABEL}: {error}") from error


def _plain(error: tf.errors.OpError) -> str:
  """TensorFlow's message without the names of nodes and ops."""
  return error.message.split("}}")[-1].split("[Op:")[0].strip()
