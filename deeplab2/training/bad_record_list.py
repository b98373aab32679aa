"""The list of bad records that a run keeps beside its checkpoints.

Without it, every start of a run would count anew, and a run that is started
again whenever it stops would never stop for good. The records listed are read
first at the next start; one that was mended meanwhile no longer counts.
"""

import json
import os
from collections.abc import Callable

import tensorflow as tf

from deeplab2.training import files

NAME = "bad_records.json"


class BadRecordList:
  """A JSON file: file and record -> what is wrong.

  Args:
    model_dir: of the run.
    log: takes a line where the list cannot be read or written, which stops
      nobody.
  """

  def __init__(self, model_dir: str, log: Callable = print):
    self._path = os.path.join(model_dir, NAME)
    self._log = log
    self._problems: dict[str, str] = {}

  def read(self) -> tuple[str, ...]:
    """The records of an earlier start, as `RecordIndex.where` names them."""
    if not tf.io.gfile.exists(self._path):
      return ()
    try:
      with tf.io.gfile.GFile(self._path) as file:
        found = json.load(file)
      if isinstance(found, dict):
        return tuple(found)
      problem = "no JSON object"
    except (ValueError, OSError, tf.errors.OpError) as error:
      problem = str(error)
    self._log(f"Passed over {self._path}: {problem}")
    return ()

  def add(self, where: str, problem: str) -> None:
    """Notes a record; it is on disk when this returns."""
    self._problems[where] = problem
    text = json.dumps(self._problems, indent=2) + "\n"
    try:
      files.write_whole(self._path, text)
    except files.NotWrittenError as error:
      self._log(str(error))
