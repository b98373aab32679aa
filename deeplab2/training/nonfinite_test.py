import numpy as np

from deeplab2.training import fake_architecture as fake
from deeplab2.training import nonfinite


def test_the_report_names_everything_one_looks_for():
  failure = nonfinite.Failure(
    step=12,
    terms={"mask_loss": float("nan"), "class_loss": 0.5, "gradient_norm": 3.0},
    squared_norms={"a/kernel": float("inf"), "b/kernel": 1.0},
    learning_rates={"backbone": 1e-4, "rest": 1e-3},
  )
  assert failure.describe(["cat", "dog"], "run/batch.npz") == (
    "step 12: mask_loss not finite; training stopped, and the step was not "
    "taken.\n"
    "  not finite: mask_loss nan\n"
    "  finite: class_loss 0.5, gradient_norm 3\n"
    "  gradients not finite: 1 of 2 variables: a/kernel\n"
    "  learning rates: backbone 0.0001, rest 0.001\n"
    "  images: cat, dog\n"
    "  batch saved in run/batch.npz"
  )


def test_a_saved_batch_can_be_read_without_this_library(tmp_path):
  batch = fake.batch(3, 2)
  path = str(tmp_path / "deep" / "batch.npz")
  assert nonfinite.save_batch(path, batch) == ["6", "7"]
  with np.load(path) as arrays:
    np.testing.assert_array_equal(arrays["image"], batch.image)
    np.testing.assert_array_equal(
      arrays["targets_panoptic"], batch.targets.panoptic
    )
    assert arrays["name"].tolist() == ["6", "7"]
