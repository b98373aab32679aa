"""Checks records, says what is in them, and paints some of them.

  python data/inspect_tfrecords.py --file_pattern='records/train*' \
    --dataset=records/dataset.json --sheet=samples.png

With a config instead of the two, the sheet also shows what training will see:

  python data/inspect_tfrecords.py --config_file=max_deeplab_tiny \
    --set DATA_DIR=records --sheet=samples.png

Ends with status 1 if a record is bad.
"""

import os
import sys

from absl import app, flags

_FILE_PATTERN = flags.DEFINE_list(
  "file_pattern", None, "TFRecord files; glob patterns, separated by commas."
)
_DATASET = flags.DEFINE_string(
  "dataset", None, "Name of a dataset, or path of a dataset.json."
)
_CONFIG_FILE = flags.DEFINE_string(
  "config_file", None, "A config whose training data is to be inspected."
)
_SET = flags.DEFINE_multi_string(
  "set", [], "path.to.field=value or NAME=value, as in trainer/train.py."
)
_SHEET = flags.DEFINE_string("sheet", None, "PNG file to paint samples into.")
_NUM_SAMPLES = flags.DEFINE_integer(
  "num_samples", 6, "Rows of the sheet.", 1, 100
)
_NUM_PROCESSES = flags.DEFINE_integer(
  "num_processes", 0, "Processes; 0 takes one a core.", lower_bound=0
)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"expected flags only; got {argv[1:]}.")
  try:
    found = _inspect()
  except (ValueError, OSError) as error:
    sys.exit(f"error: {error}")
  sys.exit(1 if found.bad else 0)


def _inspect():
  from deeplab2.datasets.inspection_report import describe, describe_bad
  from deeplab2.datasets.record_index import RecordIndex, matching_files

  _check_sheet()
  options, dataset, seed = _sources()
  files = matching_files(options.file_pattern)
  found = _inspect_files(files, dataset)
  print(describe(found, dataset))
  if found.bad:
    print(f"\nBad records:\n{describe_bad(found)}")
  if not _SHEET.value:
    return found
  if found.bad or not found.num_labelled:
    print("\nNo sheet: it takes labelled records of which none is bad.")
    return found
  index = RecordIndex.from_files(files)
  rows = _stored(index)
  if _CONFIG_FILE.value:
    rows = _stored_and_augmented(index, found.names, options, dataset, seed)
  _paint(rows, dataset)
  return found


def _check_sheet():
  sheet = _SHEET.value
  if not sheet:
    return
  folder = os.path.dirname(sheet) or "."
  if not sheet.endswith(".png") or not os.path.isdir(folder):
    raise ValueError(
      f"sheet: expected a .png file in a folder that is there; got {sheet!r}."
    )


def _sources():
  """What to read, of which classes, and the seed that training would use."""
  import types

  from deeplab2.config import load_experiment
  from deeplab2.datasets import load_dataset

  given = [bool(_FILE_PATTERN.value), bool(_DATASET.value)]
  if _CONFIG_FILE.value and not any(given):
    experiment = load_experiment(
      _CONFIG_FILE.value, _SET.value, search_files=["train"]
    )
    options = experiment.train_dataset_options
    return (
      options,
      load_dataset(options.dataset),
      experiment.trainer_options.seed,
    )
  if _CONFIG_FILE.value or not all(given):
    raise ValueError(
      "expected either --config_file, or both --file_pattern and --dataset."
    )
  options = types.SimpleNamespace(file_pattern=_FILE_PATTERN.value)
  return options, load_dataset(_DATASET.value), 0


def _inspect_files(files, dataset):
  from tqdm import tqdm

  from deeplab2.datasets.inspection import inspect_files
  from deeplab2.datasets.parallel import usable_cores

  processes = min(_NUM_PROCESSES.value or usable_cores(), len(files))
  with tqdm(desc="records", unit="record", disable=None) as bar:
    return inspect_files(files, dataset, processes, progress=bar.update)


def _stored(index):
  """Samples spread evenly over the records, one picture a row."""
  step = max(1, len(index) // _NUM_SAMPLES.value)
  numbers = range(0, len(index), step)[: _NUM_SAMPLES.value]
  pictures = [_stored_picture(index, number) for number in numbers]
  return [[picture] for picture in pictures if picture.panoptic is not None]


def _stored_picture(index, number):
  from deeplab2.datasets.inspection import read_plain
  from deeplab2.visualize.sample_sheet import Picture

  record = read_plain(index.read(number))
  return Picture(record.image, record.panoptic)


def _stored_and_augmented(index, names, options, dataset, seed):
  """The first samples of training, each beside the record it comes from."""
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
  import numpy as np

  from deeplab2.input.pipeline import train_batches
  from deeplab2.visualize.sample_sheet import Picture

  number_of = {name: number for number, name in enumerate(names)}
  rows = []
  for batch in train_batches(options, dataset, seed):
    images = np.clip(np.rint(batch.image.numpy()), 0, 255).astype(np.uint8)
    for i, name in enumerate(batch.name.numpy()):
      stored = _stored_picture(index, number_of[name.decode()])
      augmented = Picture(images[i], batch.targets.panoptic[i].numpy())
      rows.append([stored, augmented])
    if len(rows) >= _NUM_SAMPLES.value:
      return rows[: _NUM_SAMPLES.value]


def _paint(rows, dataset):
  from PIL import Image

  from deeplab2.visualize.sample_sheet import sample_sheet

  sheet = sample_sheet(rows, dataset)
  Image.fromarray(sheet).save(_SHEET.value)
  print(f"\nSamples: {_SHEET.value}")


if __name__ == "__main__":
  app.run(main)
