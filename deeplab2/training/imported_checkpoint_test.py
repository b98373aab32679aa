import os

import numpy as np
import pytest

from deeplab2.config import parse_experiment
from deeplab2.datasets import DatasetDescription
from deeplab2.interop.original_checkpoints import write_original_checkpoint
from deeplab2.layers.variable_paths import variables_by_path
from deeplab2.training import checkpoint_files, checkpoints
from deeplab2.training import fake_architecture as fake
from deeplab2.training.files import NotWrittenError
from deeplab2.training.imported_checkpoint import import_checkpoint


@pytest.fixture
def original(tmp_path):
  """A model and its checkpoint of step 5 in the original's format."""
  model = fake.build(fake.experiment()).model
  prefix = str(tmp_path / "original" / "ckpt-5")
  write_original_checkpoint(model, prefix, step=5)
  return model, prefix


def convert(path, output, **options):
  lines = []
  prefix = import_checkpoint(
    fake.experiment(),
    path,
    output,
    build=fake.build,
    log=lines.append,
    **options,
  )
  return prefix, lines


def test_the_folder_is_as_good_as_one_of_a_training_run(original, tmp_path):
  model, path = original
  folder = tmp_path / "run"
  prefix, lines = convert(path, f"{folder}/")
  assert prefix == checkpoints.resolve(folder) == f"{folder}/ckpt-5"
  assert checkpoint_files.read(prefix, ["global_step"])["global_step"] == 5
  other = fake.build(fake.experiment()).model
  checkpoints.load_checkpoint(other, folder, whole=True)
  expected = variables_by_path(model)
  for name, variable in variables_by_path(other).items():
    np.testing.assert_array_equal(variable.numpy(), expected[name].numpy())
  found = parse_experiment(folder / "experiment.textproto")
  assert found == fake.experiment()
  text = (folder / "dataset.json").read_text()
  assert DatasetDescription.from_json(text) == fake.DATASET
  assert lines[0] == f"{path}, a checkpoint of google-research/deeplab2:"


def test_the_table_is_printed_even_if_nothing_is_written(original, tmp_path):
  model, path = original
  arrays = {
    f"model/{name}": variable.numpy()
    for name, variable in variables_by_path(model).items()
    if name != "norm/beta"
  }
  checkpoint_files.write(path, arrays)
  lines = []
  with pytest.raises(ValueError, match="model/norm/beta"):
    import_checkpoint(
      fake.experiment(),
      path,
      f"{tmp_path}/run/",
      build=fake.build,
      log=lines.append,
    )
  (row,) = [r for r in lines[0].splitlines() if r.startswith("missing")]
  assert row.split() == ["missing", "1", "8"]
  assert not os.path.exists(tmp_path / "run")
  _, lines = convert(path, f"{tmp_path}/run/", allow_missing=["norm/"])
  assert lines[-1] == "Starts afresh as asked: norm."


def test_a_file_in_the_way_is_told(original, tmp_path):
  (tmp_path / "run").touch()
  with pytest.raises(NotWrittenError) as error:
    convert(original[1], f"{tmp_path}/run/ckpt-5")
  assert str(error.value) == (
    f"{tmp_path}/run/ckpt-5: could not be written: {tmp_path}/run is not a "
    "directory."
  )


def test_nothing_is_built_for_a_checkpoint_that_is_not_there(tmp_path):
  with pytest.raises(ValueError, match="found none at"):
    import_checkpoint(fake.experiment(), str(tmp_path), "x", build=None)
