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

from deeplab2 import program
from deeplab2.config import program_flags

program_flags.define_experiment_flags(required=False)
program_flags.define_weights_flag()
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
_ON_ERROR = flags.DEFINE_enum(
  "on_error",
  "fail",
  ["fail", "skip"],
  "What to do about files that are broken, missing or contradict their JSON: "
  "stop, or leave these images out of the score and list them. Of records, the "
  "config's max_bad_records says it.",
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
    score = _score_checkpoint if _CHECKPOINT.value else _score_files
    result, names, missing = score()
  except ValueError as error:
    sys.exit(f"error: {error}")
  print(result.table(names, _PER_CLASS.value))
  if missing:
    print(
      f"\n{missing} images are missing in these scores: they could not be read."
    )
  if _OUTPUT_JSON.value:
    from deeplab2.datasets.whole_file import write_text

    content = {**result.to_dict(names), "missing_images": missing}
    write_text(_OUTPUT_JSON.value, json.dumps(content, indent=2))
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
  """The quality of a model on its config's records, names, missing images."""
  experiment = program_flags.experiment_from_flags(search_files=("eval",))
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  from deeplab2.datasets import load_dataset
  from deeplab2.training.scoring import score_checkpoint

  found = score_checkpoint(
    experiment, _CHECKPOINT.value, weights=flags.FLAGS.weights
  )
  dataset = load_dataset(experiment.eval_dataset_options.dataset)
  return found.quality, dataset.class_names, found.missing


def _score_files():
  """The quality of the result files, names of classes, missing images."""
  from deeplab2.datasets import coco_results
  from deeplab2.metrics.panoptic_quality import PanopticQuality

  skipped = {} if _ON_ERROR.value == "skip" else None
  dataset, truth = coco_results.read_truth(
    _TRUTH_JSON.value, _TRUTH_DIR.value, skipped
  )
  images = len(truth) + len(skipped or ())
  results = coco_results.read_results(
    _PREDICTIONS_JSON.value, _PREDICTIONS_DIR.value, skipped
  )
  pairs = coco_results.pair_results(truth, results, skipped)
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
  scored = 0
  for pair, match in _with_progress(_matches(pairs, dataset), len(pairs)):
    if not isinstance(match, ValueError):
      quality.add(match)
      scored += 1
    elif skipped is not None:
      skipped[f"image id {pair[0].image_id}"] = str(match)
    else:
      raise match
  for label, problem in (skipped or {}).items():
    print(f"Skipped {label}: {problem}", file=sys.stderr)
  if not scored:
    raise ValueError(f"expected an image to score; all {images} are bad.")
  return quality.result(), dataset.class_names, images - scored


def _matches(pairs, dataset):
  """Each pair with its match, or with the error that it gives, in order.

  The order is that of the truth, so that sums do not depend on the threads.
  """
  from deeplab2.datasets.parallel import usable_cores

  def match(pair):
    try:
      return pair, _match(*pair, dataset)
    except ValueError as error:
      return pair, error

  pool = concurrent.futures.ThreadPoolExecutor(
    _NUM_THREADS.value or usable_cores()
  )
  try:
    yield from pool.map(match, pairs)
  finally:
    pool.shutdown(cancel_futures=True)


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
  program.run(main)
