import numpy as np
import pytest

from deeplab2.config import config_pb2
from deeplab2.training import checkpoints, initial_weights
from deeplab2.training import fake_architecture as fake


@pytest.fixture
def prefix(tmp_path):
  prefix = str(tmp_path / "ckpt-1")
  state = checkpoints.model_state(fake.build(fake.experiment()).model)
  checkpoints.save(prefix, state)
  return prefix


def load(model, **options):
  return initial_weights.load_initial_weights(
    model, config_pb2.ModelOptions(**options)
  )


def test_no_checkpoint_leaves_the_weights():
  assert load(fake.build(fake.experiment()).model) is None


def test_all_weights_are_taken(prefix):
  model = fake.build(fake.experiment()).model
  before = model.encoder.kernel.numpy()
  assert load(model, initial_checkpoint=prefix) == f"Weights of {prefix}."
  assert np.any(model.encoder.kernel.numpy() != before)


@pytest.mark.parametrize(
  ("field", "layer"), list(initial_weights._LAST_LAYERS.items())
)
def test_last_layers_can_start_afresh(prefix, monkeypatch, field, layer):
  left = []
  monkeypatch.setattr(
    checkpoints,
    "load_checkpoint",
    lambda model, path, afresh: left.append(afresh) or path,
  )
  line = load(None, initial_checkpoint=prefix, **{field: False})
  assert left == [[layer]]
  assert line == f"Weights of {prefix}, but {layer}, which start afresh."


def test_a_missing_checkpoint_is_an_error(tmp_path):
  model = fake.build(fake.experiment()).model
  with pytest.raises(ValueError, match="checkpoint: expected the prefix of"):
    load(model, initial_checkpoint=str(tmp_path))
