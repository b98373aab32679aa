"""Files that are there as a whole or not at all."""

import tensorflow as tf


def write_whole(path: str, content: str | bytes) -> None:
  """Writes a file; no reader, and no kill, ever leaves half of it."""
  with tf.io.gfile.GFile(path + ".unfinished", "wb") as file:
    file.write(content)
  tf.io.gfile.rename(path + ".unfinished", path, overwrite=True)
