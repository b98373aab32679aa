import os

import numpy as np
import pytest

from deeplab2.config import parse_experiment
from deeplab2.datasets import DatasetDescription
from deeplab2.interop.original_checkpoints import write_original_checkpoint
from deeplab2.layers.variable_paths import variables_by_path
from deeplab2.training import (
  checkpoint_files,
  checkpoints,
  imported_checkpoint,
  model_dir,
)
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


def convert_without_model(path, output):
  import_checkpoint(fake.experiment(), path, output, build=None)


def test_an_output_that_is_there_is_told_before_a_model_is_built(
  original, tmp_path
):
  (tmp_path / "run").mkdir()
  (tmp_path / "run" / "ckpt-5.index").touch()
  with pytest.raises(ValueError) as error:
    convert_without_model(original[1], f"{tmp_path}/run")
  assert str(error.value) == (
    "output_path: expected a new checkpoint, such as imported/ckpt-0; got"
    f" {tmp_path}/run/ckpt-5, which is there already."
  )


def test_a_folder_of_another_experiment_is_told_before_a_model_is_built(
  original, tmp_path
):
  model_dir.claim(str(tmp_path / "run"), fake.experiment(optimizer="sgd"))
  with pytest.raises(ValueError) as error:
    convert_without_model(original[1], f"{tmp_path}/run")
  assert str(error.value).splitlines()[0] == (
    "output_path: expected an empty directory, or one of this experiment;"
    f" {tmp_path}/run has another one. Choose another --output_path, or undo"
    " what differs (- there, + now):"
  )


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("function", ["write", "announce"])
@pytest.mark.parametrize("there", [(), ("experiment.textproto",)])
def test_an_import_that_fails_leaves_what_was_there(
  original, tmp_path, monkeypatch, error, function, there
):
  where = checkpoint_files if function == "write" else imported_checkpoint
  done = getattr(where, function)

  def fail(*arguments):
    done(*arguments)
    raise error

  folder = tmp_path / "imported" / "run"
  if there:
    model_dir.claim(str(folder), fake.experiment())
  with monkeypatch.context() as patch:
    patch.setattr(where, function, fail)
    with pytest.raises((KeyboardInterrupt, NotWrittenError)):
      convert(original[1], f"{folder}/")
  assert (tmp_path / "imported").exists() == bool(there)
  if there:
    assert tuple(os.listdir(folder)) == there
  prefix, _ = convert(original[1], f"{folder}/")
  assert prefix == f"{folder}/ckpt-5"


def test_nothing_is_built_for_a_checkpoint_that_is_not_there(tmp_path):
  with pytest.raises(ValueError, match="found none at"):
    convert_without_model(str(tmp_path), "x")
