r"""Predicts images: a panoptic map, its segments and a picture of each.

  python evaluation/predict.py --model=runs/demo --input=photos \
    --output_dir=out

--model is a training folder, a checkpoint's prefix or an exported SavedModel.
The config is the experiment.textproto beside the checkpoint, or --config_file.
Each photos/street.jpg gives out/street_panoptic.png, out/street_segments.json
and out/street_picture.png; out/predictions.json lists them all in COCO's form.
"""

import os
import statistics
import sys
from pathlib import Path

from absl import flags, logging

from deeplab2 import program
from deeplab2.config import program_flags
from deeplab2.inference.image_files import find_image_files

FLAGS = flags.FLAGS

program_flags.define_experiment_flags(required=False)
program_flags.define_weights_flag()
flags.DEFINE_string(
  "model",
  None,
  "Folder of a training run, prefix of a checkpoint, or a SavedModel.",
  required=True,
)
flags.DEFINE_multi_string(
  "input",
  None,
  "An image, a folder, or a pattern such as 'photos/**/*.jpg'. May be given "
  "many times.",
  required=True,
)
flags.DEFINE_string("output_dir", None, "Where results go.", required=True)
flags.DEFINE_boolean(
  "full_size",
  False,
  "Run the model at the size of each image, not at the config's crop size.",
)
flags.DEFINE_enum(
  "on_error",
  "skip",
  ["fail", "skip"],
  "What to do about a file that is no image: stop, or go on and list it at the "
  "end.",
)
flags.DEFINE_boolean(
  "skip_existing",
  False,
  "Leave results that are there already, whichever model made them.",
)


def main(args):
  if len(args) > 1:
    sys.exit(f"Expected flags only, such as --input=a.jpg; got {args[1:]}.")
  folder = Path(FLAGS.output_dir)
  try:
    images = find_image_files(FLAGS.input)
    _check_output_dir(folder)
  except ValueError as error:
    sys.exit(f"{error}")
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  logging.set_verbosity(logging.WARNING)
  # TensorFlow takes seconds to import: after the flags are known to be right.
  from tqdm import tqdm

  from deeplab2.inference.predict_files import predict_files
  from deeplab2.inference.predictor import Predictor

  try:
    predictor = Predictor.load(
      FLAGS.model,
      FLAGS.config_file,
      FLAGS.set,
      FLAGS.full_size,
      FLAGS.weights,
    )
    report = predict_files(
      predictor,
      images,
      folder,
      skip_bad=FLAGS.on_error == "skip",
      skip_existing=FLAGS.skip_existing,
      progress=lambda items: tqdm(items, unit="image", total=len(images)),
    )
  except (ValueError, TypeError, OSError) as error:
    sys.exit(f"{error}")
  _say(report, folder)


def _check_output_dir(folder):
  if folder.exists() and not folder.is_dir():
    raise ValueError(f"output_dir: expected a folder; got the file {folder}.")


def _say(report, folder):
  """Prints what was done; exit status 1 where nothing was."""
  for path, problem in report.failed.items():
    print(f"Skipped {path}: {problem}", file=sys.stderr)
  if not report.done:
    sys.exit(f"No result: all {len(report.failed)} files are bad.")
  line = f"{len(report.done)} results in {folder}"
  if report.seconds:
    median = statistics.median(report.seconds[1:] or report.seconds)
    line += f", {median:.2f} s an image (first {report.seconds[0]:.1f} s)"
  if report.present:
    line += f"; {report.present} were there already"
  if report.failed:
    line += f"; {len(report.failed)} files were skipped"
  print(f"{line}.")


if __name__ == "__main__":
  program.run(main, "with --skip_existing the same command goes on")
