"""Scores panoptic predictions: PQ, SQ and RQ; all, things, stuff, a class.

Of files in COCO's panoptic format, a JSON and a folder of PNGs each:

  python evaluation/evaluate.py \
    --truth_json=coco/annotations/panoptic_val2017.json \
    --predictions_json=out/panoptic_val2017.json

Of a checkpoint, on the records that its config names:

  python evaluation/evaluate.py --checkpoint=/runs/s \
    --config_file=max_deeplab_s --set VAL_SET='/data/coco/val*.tfrecord'

The numbers are those of panopticapi, to the last digit.
"""

import concurrent.futures
import json
import os
import sys

from absl import app, flags

from deeplab2.config import program_flags

program_flags.define_experiment_flags(required=False)
_CHECKPOINT = flags.DEFINE_string(
  "checkpoint",
  None,
  "Prefix of a checkpoint, or a directory for its newest; with --config_file.",
)
_TRUTH_JSON = flags.DEFINE_string(
  "truth_json", None, "Panoptic JSON of the ground truth."
)
_TRUTH_DIR = flags.DEFINE_string(
  "truth_dir", None, "Its PNGs; by default the path of the JSON without .json."
)
_PREDICTIONS_JSON = flags.DEFINE_string(
  "predictions_json", None, "Panoptic JSON of the predictions."
)
_PREDICTIONS_DIR = flags.DEFINE_string(
  "predictions_dir",
  None,
  "Their PNGs; by default the path of the JSON without .json.",
)
_OUTPUT_JSON = flags.DEFINE_string(
  "output_json", None, "Where to write the scores too; values of 0..1."
)
_PER_CLASS = flags.DEFINE_boolean(
  "per_class", True, "Whether the table has a line a class."
)
_NUM_THREADS = flags.DEFINE_integer(
  "num_threads", 0, "Threads that read maps; 0 takes one a core.", 0, 256
)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"expected flags only; got {argv[1:]}.")
  try:
    _check_output()
    _check_source()
    result, names = _score_checkpoint() if _CHECKPOINT.value else _score_files()
  except ValueError as error:
    sys.exit(f"error: {error}")
  print(result.table(names, _PER_CLASS.value))
  if _OUTPUT_JSON.value:
    with open(_OUTPUT_JSON.value, "w", encoding="utf-8") as file:
      json.dump(result.to_dict(names), file, indent=2)
    print(f"\nscores: {_OUTPUT_JSON.value}")


def _check_source():
  """Raises ValueError unless the flags name one thing to score."""
  files = _TRUTH_JSON.value and _PREDICTIONS_JSON.value
  checkpoint = _CHECKPOINT.value and flags.FLAGS.config_file
  if bool(files) == bool(checkpoint):
    given = sorted(
      name
      for name in (
        "checkpoint",
        "config_file",
        "predictions_json",
        "truth_json",
      )
      if flags.FLAGS[name].value
    )
    raise ValueError(
      "expected either --checkpoint and --config_file, or --predictions_json "
      f"and --truth_json; got {given}."
    )


def _score_checkpoint():
  """The quality of a model on the records of its config, and the names."""
  experiment = program_flags.experiment_from_flags(search_files=("eval",))
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  from deeplab2.datasets import load_dataset
  from deeplab2.training.scoring import score_checkpoint

  found = score_checkpoint(experiment, _CHECKPOINT.value)
  dataset = load_dataset(experiment.eval_dataset_options.dataset)
  return found.quality, dataset.class_names


def _score_files():
  """The quality of the result files, and the names of the classes."""
  from deeplab2.datasets import coco_results
  from deeplab2.datasets.parallel import usable_cores
  from deeplab2.metrics.panoptic_quality import PanopticQuality

  dataset, truth = coco_results.read_truth(_TRUTH_JSON.value, _TRUTH_DIR.value)
  results = coco_results.read_results(
    _PREDICTIONS_JSON.value, _PREDICTIONS_DIR.value
  )
  pairs = coco_results.pair_results(truth, results)
  if len(results) > len(pairs):
    print(
      f"{len(results) - len(pairs)} predictions are of images that the truth "
      "does not have; they are left out."
    )
  quality = PanopticQuality(
    dataset.num_classes,
    dataset.thing_ids,
    dataset.ignore_label,
    dataset.divisor,
  )
  threads = _NUM_THREADS.value or usable_cores()
  # Results come in the order of the truth, so that sums do not depend on it.
  with concurrent.futures.ThreadPoolExecutor(threads) as pool:
    matches = pool.map(lambda pair: _match(*pair, dataset), pairs)
    for match in _with_progress(matches, len(pairs)):
      quality.add(match)
  return quality.result(), dataset.class_names


def _match(truth, prediction, dataset):
  from deeplab2.datasets.coco_results import load_segments
  from deeplab2.metrics.overlaps import count_overlaps
  from deeplab2.metrics.segment_matching import Segments, match_segments

  truth = load_segments(truth, dataset)
  prediction = load_segments(prediction, dataset, size=truth.map.shape)
  return match_segments(
    count_overlaps(truth.map, prediction.map),
    Segments(truth.ids, truth.classes, truth.crowd),
    Segments(prediction.ids, prediction.classes, prediction.crowd),
  )


def _with_progress(items, total):
  from tqdm import tqdm

  return tqdm(items, desc="scoring", total=total, unit="image", disable=None)


def _check_output():
  path = _OUTPUT_JSON.value
  folder = os.path.dirname(os.path.abspath(path)) if path else None
  if folder and not os.path.isdir(folder):
    raise ValueError(
      f"output_json: expected a path in an existing folder; got {path}."
    )


if __name__ == "__main__":
  app.run(main)
