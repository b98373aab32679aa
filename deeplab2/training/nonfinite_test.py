import numpy as np
import pytest
import tensorflow as tf

from deeplab2.training import fake_architecture as fake
from deeplab2.training import nonfinite


def test_the_report_names_everything_one_looks_for():
  failure = nonfinite.Failure(
    step=12,
    terms={"mask_loss": float("nan"), "class_loss": 0.5, "gradient_norm": 3.0},
    squared_norms={"a/kernel": float("inf"), "b/kernel": 1.0},
    learning_rates={"backbone": 1e-4, "rest": 1e-3},
  )
  assert failure.describe(["cat", "dog"]) == (
    "step 12: mask_loss not finite; the step was not taken.\n"
    "  not finite: mask_loss nan\n"
    "  finite: class_loss 0.5, gradient_norm 3\n"
    "  gradients not finite: 1 of 2 variables: a/kernel\n"
    "  learning rates: backbone 0.0001, rest 0.001\n"
    "  images: cat, dog"
  )


def test_a_saved_batch_can_be_read_without_this_library(tmp_path):
  batch = fake.batch(3, 2)
  path = str(tmp_path / "batch.npz")
  nonfinite.save_batch(path, batch)
  with np.load(path) as arrays:
    np.testing.assert_array_equal(arrays["image"], batch.image)
    np.testing.assert_array_equal(
      arrays["targets_panoptic"], batch.targets.panoptic
    )
    assert arrays["name"].tolist() == ["6", "7"]


def test_a_saved_batch_comes_back(tmp_path):
  batch = fake.batch(3, 2)
  path = str(tmp_path / "batch.npz")
  nonfinite.save_batch(path, batch)
  tf.nest.map_structure(
    np.testing.assert_array_equal,
    nonfinite.load_batch(path),
    tf.nest.map_structure(lambda tensor: tensor.numpy(), batch),
  )


@pytest.mark.parametrize("content", [None, b"", b"no npz"])
def test_what_is_no_batch_is_named(tmp_path, content):
  path = tmp_path / "batch.npz"
  if content is not None:
    path.write_bytes(content)
  with pytest.raises(ValueError, match=r"batch\.npz: expected the bat"):
    nonfinite.load_batch(str(path))
