"""Ending pipelines that call Python, before Python ends.

A pipeline that is destroyed waits for the calls it has begun. Once Python is
being torn down no other thread may enter it, and those never return: a script
that still held an iterator would never exit.
"""

import gc

import tensorflow as tf


def end_iterators() -> None:
  """Ends every pipeline of the process while Python can still serve it.

  Users make the iterators, so they are found by their kind. Not `isinstance`,
  which would ask every object what it claims to be.
  """
  iterators = [
    thing
    for thing in gc.get_objects()
    if tf.data.Iterator in type(thing).__mro__
  ]
  for iterator in iterators:
    _end(iterator)


def _end(iterator: tf.data.Iterator) -> None:
  """Puts an empty pipeline in the place of the iterator's own.

  To drop the iterator is not enough: a `tf.function` may hold its resource.
  """
  dataset = getattr(iterator, "_dataset", None)
  if dataset is None:  # a view of another iterator
    return
  (resource,) = tf.nest.flatten(iterator, expand_composites=True)
  # What is part of a graph never ran, and Python is called on the CPU alone.
  if tf.is_symbolic_tensor(resource) or "CPU" not in resource.device:
    return
  tf.raw_ops.MakeIterator(
    dataset=tf.data.experimental.to_variant(dataset.take(0)), iterator=resource
  )
