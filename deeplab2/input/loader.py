"""Reading one record inside `tf.data`, with errors that say which one."""

import numpy as np
import tensorflow as tf

from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.records import Record, RecordIndex, parse_example


class RecordLoader:
  """Reads, decodes and checks records by number.

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
    """One record, eagerly.

    Raises:
      ValueError: it cannot be read or decoded, or its label uses a class that
        the dataset has not; names the file and the record.
    """
    try:
      # Without the device, a GPU would take part in reading.
      with tf.device("/CPU:0"):
        record = parse_example(self._index.read(number), self._labelled)
        if not self._labelled:
          record = record._replace(panoptic=self._void(record.image))
    except (tf.errors.OpError, OSError) as error:
      message = getattr(error, "message", str(error))
      raise ValueError(f"{self._index.where(number)}: {message}") from error
    self._check_classes(number, record.panoptic.numpy())
    return record

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

  def _void(self, image: tf.Tensor) -> tf.Tensor:
    dataset = self._dataset
    void = dataset.codec.encode(dataset.ignore_label, 0)
    return tf.fill(tf.shape(image)[:2], void)

  def _check_classes(self, number: int, panoptic: np.ndarray):
    dataset = self._dataset
    void = dataset.codec.encode(dataset.ignore_label, 0)
    known = (panoptic >= 0) & (panoptic < dataset.num_classes * dataset.divisor)
    known |= (panoptic >= void) & (panoptic < void + dataset.divisor)
    if not known.all():
      raise ValueError(
        f"{self._index.where(number)}: expected labels of the classes 0.."
        f"{dataset.num_classes - 1} or {dataset.ignore_label}, times "
        f"{dataset.divisor}; got the panoptic id {panoptic[~known][0]}."
      )
