"""Files of TensorBoard's events, shortened to what a run goes on from."""

import os

import tensorflow as tf

from deeplab2.training import files


def forget_from(folder: str, step: int) -> None:
  """Removes the points and pictures of `step` and later from a folder.

  A run that was killed has written ahead of its checkpoint. Steps that are
  taken again would be in the curves twice.
  """
  for path in tf.io.gfile.glob(os.path.join(folder, "events.out.tfevents.*")):
    if any(_is_from(step, event) for event, _ in _events(path)):
      _rewrite(path, step)


def _rewrite(path: str, step: int) -> None:
  unfinished = os.path.join(
    os.path.dirname(path), f"unfinished-{os.path.basename(path)}"
  )
  with files.writing(path, [unfinished]):
    with tf.io.TFRecordWriter(unfinished) as writer:
      for event, data in _events(path):
        if not _is_from(step, event):
          writer.write(data)
    files.put_in_place({unfinished: path})


def _is_from(step: int, event) -> bool:
  return event.HasField("summary") and event.step >= step


def _events(path: str):
  """(event, its bytes) for each that is whole; the last may have been cut."""
  try:
    for record in tf.data.TFRecordDataset(path):
      data = record.numpy()
      yield tf.compat.v1.Event.FromString(data), data
  except tf.errors.DataLossError:
    return
