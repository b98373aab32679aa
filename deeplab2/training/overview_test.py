import numpy as np
import pytest

from deeplab2.training import fake_architecture as fake
from deeplab2.training import overview as overview_lib
from deeplab2.training.layer_probe import sizing_outputs

TRAINED = 600 + 16 + 36 + 27  # encoder, norm, mask_layer, class_layer


@pytest.fixture(scope="module")
def built():
  with sizing_outputs() as outputs:
    architecture = fake.build(fake.experiment())
  return architecture.model, outputs


def plan(built, **changes):
  model, outputs = built
  values = {
    "model": model,
    "outputs": outputs,
    "replicas": 2,
    "device": "CPU",
    "first_step": 3,
    "records": 8,
  }
  return overview_lib.Plan(**values | changes)


def experiment():
  options = fake.experiment(
    warmup_steps=2, backbone_learning_rate_multiplier=0.1
  )
  options.train_dataset_options.crop_size[:] = fake.SIZE
  options.train_dataset_options.file_pattern.append("/data/train*")
  return options


def test_the_table_says_all_that_one_looks_for(built, monkeypatch):
  monkeypatch.setattr(overview_lib, "memory_in_use", lambda: {"host": 10**9})
  monkeypatch.setattr(overview_lib, "memory_of_host", lambda: 4 * 10**9)
  assert overview_lib.overview(experiment(), plan(built)).splitlines() == [
    f"  model          {TRAINED} parameters to train: encoder 600, norm 16,"
    " mask_layer 36, class_layer 27",
    "  devices        2 x CPU, float32",
    "  batch          4 images of 17 x 33, 2 on each device",
    "  learning rate  0.01 with adam, 0.1 of it for the backbone, after 2 steps"
    " of warm-up, poly",
    "  data           8 images in /data/train*",
    "  steps          4, of which 3 are done; 2 epochs of 2 steps",
    "  memory         about 1.3 GB of 4.0 GB",
  ]


def test_too_much_memory_is_a_warning(built, monkeypatch):
  monkeypatch.setattr(overview_lib, "memory_of_host", lambda: 10**6)
  last = overview_lib.overview(experiment(), plan(built)).splitlines()[-1]
  assert "warning: that may be too much" in last


def test_what_is_not_known_is_left_out(built):
  text = overview_lib.overview(
    experiment(), plan(built, records=None, first_step=0)
  )
  assert "data" not in text
  assert "  steps          4\n" in text


def test_the_estimate_knows_what_recomputing_saves(built, monkeypatch):
  monkeypatch.setattr(overview_lib, "memory_in_use", lambda: {"host": 0})
  once, again = experiment(), experiment()
  again.model_options.backbone.recompute_grad = True
  fixed = 4 * TRAINED + int(overview_lib.GRAPH)
  once, again = (
    overview_lib.estimated_bytes(e, plan(built)) - fixed for e in (once, again)
  )
  np.testing.assert_allclose(
    again / once,
    overview_lib.RECOMPUTED / overview_lib.ACTIVATIONS,
    rtol=1e-3,
  )


def test_the_estimate_grows_with_images_and_pixels(built, monkeypatch):
  monkeypatch.setattr(overview_lib, "memory_in_use", lambda: {"host": 0})
  small, large = experiment(), experiment()
  large.train_dataset_options.batch_size *= 3
  fixed = 4 * TRAINED + int(overview_lib.GRAPH)
  left, right = (
    overview_lib.estimated_bytes(e, plan(built)) - fixed for e in (small, large)
  )
  np.testing.assert_allclose(right, 3 * left, rtol=1e-3)
