"""Files that are there as a whole or not at all."""

import tensorflow as tf


def write_whole(path: str, text: str) -> None:
  """Writes a text file; a reader or a kill never meets half of it."""
  with tf.io.gfile.GFile(path + ".unfinished", "w") as file:
    file.write(text)
  tf.io.gfile.rename(path + ".unfinished", path, overwrite=True)
