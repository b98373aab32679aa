import types

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.config import config_pb2
from deeplab2.datasets import load_dataset
from deeplab2.datasets.coco_folder import read_split
from deeplab2.datasets.conversion import ConversionOptions, convert_splits
from deeplab2.datasets.records import RecordIndex
from deeplab2.datasets.shapes.folder import ShapesSplit, write_split
from deeplab2.training.data import RecordData, bad_record, readable_errors

SIZE = (33, 49)
IMAGES = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  """Records of a few drawn images, with their dataset.json."""
  root = tmp_path_factory.mktemp("shapes")
  plan = ShapesSplit(split="train", num_images=IMAGES, size=65)
  write_split(str(root), plan)
  split = read_split(str(root), "train", "shapes_panoptic", 256)
  convert_splits([split], str(root / "records"), ConversionOptions())
  return root / "records"


def _experiment(folder, labelled=True):
  experiment = config_pb2.ExperimentOptions()
  experiment.trainer_options.seed = 7
  for name in ("train_dataset_options", "eval_dataset_options"):
    options = getattr(experiment, name)
    options.file_pattern.append(str(folder / "train*"))
    options.crop_size.extend(SIZE)
    options.batch_size = 2
    options.decode_groundtruth_label = labelled
  return experiment


def _data(folder, stride=1, **options):
  architecture = types.SimpleNamespace(
    dataset=load_dataset(str(folder)), target_stride=stride
  )
  return RecordData(_experiment(folder, **options), architecture)


def _first(batches, number=3):
  return [*batches.take(number)]


@pytest.mark.parametrize("split", ["train", "eval"])
def test_targets_are_those_pixels_that_the_loss_looks_at(folder, split):
  every = _first(getattr(_data(folder), split)())
  fourth = _first(getattr(_data(folder, stride=4), split)())
  assert len(every) == len(fourth)
  for whole, strided in zip(every, fourth, strict=True):
    np.testing.assert_array_equal(whole.image, strided.image)
    for field, value in whole.targets._asdict().items():
      wanted = value
      if value.shape.rank == 3 and value.shape[1:] == SIZE:
        wanted = value[:, ::4, ::4]
      np.testing.assert_array_equal(getattr(strided.targets, field), wanted)


def test_training_goes_on_where_it_is_told_to(folder):
  data = _data(folder)
  third = _first(data.train())[2]
  (again,) = _first(data.train(start_step=2), 1)
  tf.nest.map_structure(np.testing.assert_array_equal, third, again)


def test_an_evaluation_has_every_image_and_its_truth(folder):
  data = _data(folder)
  batches = [*data.eval()]
  truths = data.truths()
  sizes = np.concatenate([batch.raw_size for batch in batches])
  assert len(sizes) == IMAGES
  for number, size in enumerate(sizes):
    assert truths(number).panoptic.shape == tuple(size)


def test_without_labels_there_is_no_truth(folder):
  assert _data(folder, labelled=False).truths() is None


@pytest.fixture
def damaged(folder, tmp_path):
  """The records, of which the second and the last cannot be read."""
  (path,) = folder.glob("train-*.tfrecord")
  data = bytearray(path.read_bytes())
  index = RecordIndex.from_patterns(str(path))
  data[index.offsets[1] + 50] ^= 1
  (tmp_path / path.name).write_bytes(data[:-1])
  (tmp_path / "dataset.json").write_bytes(
    (folder / "dataset.json").read_bytes()
  )
  return tmp_path


def _data_with_bad(folder, limit, log):
  architecture = types.SimpleNamespace(
    dataset=load_dataset(str(folder)), target_stride=1
  )
  experiment = _experiment(folder)
  experiment.train_dataset_options.max_bad_records = limit
  experiment.eval_dataset_options.max_bad_records = limit
  return RecordData(experiment, architecture, log)


def test_bad_records_are_told_counted_and_counted_again(damaged, tmp_path):
  lines = []
  data = _data_with_bad(damaged, 2, lines.append)
  data.keep_list(str(tmp_path / "model"))
  (tmp_path / "model").mkdir()
  _first(data.train(), 6)
  assert data.counts() == {"bad_records": 2.0, "crowded_images": 0.0}
  assert len(lines) == 2
  assert lines[0].startswith("Bad record 1 of at most 2 of train: ")
  assert lines[1].endswith(
    ", record 1: the checksum does not agree. (another takes its place)"
  )
  again = _data_with_bad(damaged, 1, lines.append)
  again.keep_list(str(tmp_path / "model"))
  with pytest.raises(ValueError, match="at most 1 bad records; got 2:"):
    again.train()
  assert len(lines) == 3


def test_one_bad_record_too_many_is_said_in_the_readers_words(damaged):
  data = _data_with_bad(damaged, 1, print)
  with pytest.raises(tf.errors.InvalidArgumentError) as error:
    _first(data.eval())
  lines = bad_record(error.value).splitlines()
  assert lines[0] == (
    "eval_dataset_options.max_bad_records: expected at most 1 bad records; got "
    "2:"
  )
  assert len(lines) == 4
  assert "record 1: the checksum does not agree." in lines[2]
  with pytest.raises(ValueError) as plain, readable_errors():
    raise error.value
  assert str(plain.value).splitlines() == lines
  other = tf.errors.InvalidArgumentError(None, None, "shapes differ")
  assert bad_record(other) is None
  with pytest.raises(tf.errors.InvalidArgumentError), readable_errors():
    raise other


def test_truths_have_the_numbers_of_the_evaluation(damaged):
  data = _data_with_bad(damaged, 2, print)
  batches = [*data.eval()]
  truths = data.truths()
  valid = np.concatenate([batch.valid_size for batch in batches])
  raw = np.concatenate([batch.raw_size for batch in batches])
  assert [i for i in range(IMAGES) if valid[i, 0] < 0] == [1, IMAGES - 1]
  for i in (0, 2, 3):
    assert truths(i).panoptic.shape == tuple(raw[i])
