import numpy as np
import pytest
import tensorflow as tf

from deeplab2.interop.conftest import build_network, values_of
from deeplab2.interop.import_weights import import_weights
from deeplab2.interop.original_checkpoints import (
  export_original_checkpoint,
  export_target,
  write_original_checkpoint,
)
from deeplab2.interop.original_keys import SUFFIX, original_key


@pytest.fixture
def written(tmp_path):
  network = build_network(seed=1)
  prefix = tmp_path / "new" / "ckpt-17"
  write_original_checkpoint(network, prefix, step=17)
  return network, str(prefix)


def test_the_keys_are_the_originals(written):
  network, prefix = written
  names = {name for name, _ in tf.train.list_variables(prefix)}
  assert names == {
    "_CHECKPOINTABLE_OBJECT_GRAPH",
    f"save_counter{SUFFIX}",
    f"global_step{SUFFIX}",
    *(original_key(path) + SUFFIX for path in values_of(network)),
  }


def test_a_round_trip_is_bit_equal(written):
  network, prefix = written
  other = build_network(seed=2)
  assert import_weights(other, prefix).step == 17
  expected = values_of(network)
  for path, value in values_of(other).items():
    assert value.tobytes() == expected[path].tobytes(), path


def test_objects_of_the_originals_kind_find_their_values(written):
  """Its layers hold one another in private attributes, as here."""
  network, prefix = written
  layer, block, encoder = tf.Module(), tf.Module(), tf.Module()
  layer.kernel = tf.Variable(np.zeros((1, 1, 3, 5), np.float32))
  block._conv = layer
  encoder._stem = block
  status = tf.train.Checkpoint(encoder=encoder).restore(prefix)
  status.assert_existing_objects_matched().expect_partial()
  np.testing.assert_array_equal(
    layer.kernel.numpy(), values_of(network)["encoder/stem/conv/kernel"]
  )


def test_an_exported_checkpoint_keeps_the_step_of_its_source(written, tmp_path):
  network, source = written
  target = export_target(source, f"{tmp_path}/out/")
  prefix = export_original_checkpoint(network, source, f"{tmp_path}/out/")
  assert prefix == target == tf.train.latest_checkpoint(tmp_path / "out")
  assert prefix.endswith("out/ckpt-17")
  assert import_weights(network, prefix, whole=True).step == 17
