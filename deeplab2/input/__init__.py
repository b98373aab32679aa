"""The input pipeline: TFRecords to batches, with `tf.data`."""

from deeplab2.input.pipeline import eval_batches, train_batches

__all__ = ["eval_batches", "train_batches"]
