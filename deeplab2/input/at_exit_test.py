import os
import subprocess
import sys

import pytest

from deeplab2.input.testing import toy_example, write_records

KEEPS_ITERATORS = """
import sys
import tensorflow as tf
from deeplab2.input.pipeline import train_batches
from deeplab2.input.testing import TOY, toy_options

batches = train_batches(toy_options(sys.argv[1]), TOY, seed=1)
captured, *kept = [iter(batches) for _ in range(4)]
step = tf.function(lambda: next(captured).name)
for _ in range(6):
  step()
  for iterator in kept:
    next(iterator)
"""


@pytest.mark.parametrize(("ending", "status"), [("", 0), ("sys.exit(3)", 3)])
def test_a_script_may_end_with_iterators_at_work(tmp_path, ending, status):
  path = write_records(tmp_path / "a", [toy_example(i) for i in range(5)])
  ended = subprocess.run(
    [sys.executable, "-c", KEEPS_ITERATORS + ending, path],
    env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    stderr=subprocess.PIPE,
    timeout=60,
  )
  assert (ended.returncode, ended.stderr) == (status, b"")
