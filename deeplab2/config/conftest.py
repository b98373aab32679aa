"""A small data set on disk, and experiments on it."""

import pytest

from deeplab2.config import load_experiment
from deeplab2.datasets import DatasetDescription


def describe(num_things=3, num_stuff=2, divisor=256):
  num_classes = 1 + num_things + num_stuff
  return DatasetDescription(
    name="small",
    ignore_label=0,
    divisor=divisor,
    thing_ids=tuple(range(1, 1 + num_things)),
    class_names=tuple(f"class {i}" for i in range(num_classes)),
    colors=tuple((i, i, i) for i in range(num_classes)),
    category_ids=(None, *range(1, num_classes)),
  )


@pytest.fixture
def small_dataset():
  return describe()


@pytest.fixture
def data_dir(tmp_path):
  """A folder with a description and (empty) records of both splits."""
  folder = tmp_path / "records"
  folder.mkdir()
  (folder / "dataset.json").write_text(describe().to_json())
  (folder / "train-00000-of-00001.tfrecord").touch()
  (folder / "val-00000-of-00001.tfrecord").touch()
  return folder


@pytest.fixture
def load(data_dir):
  """Loads the demo's config on the small data set, with overrides."""

  def load_with(*overrides, **options):
    return load_experiment(
      "max_deeplab_tiny", [f"DATA_DIR={data_dir}", *overrides], **options
    )

  return load_with


@pytest.fixture
def complaint(load):
  """The whole text of the error that overrides lead to."""

  def complaint_about(*overrides, **options):
    with pytest.raises(ValueError) as error:
      load(*overrides, **options)
    return str(error.value)

  return complaint_about
