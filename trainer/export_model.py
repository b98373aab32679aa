r"""Exports a trained model as a SavedModel that needs nothing of this package.

  python trainer/export_model.py --checkpoint_path=runs/demo \
    --output_path=runs/demo/exported

The config is the experiment.textproto beside the checkpoint, or --config_file.
The SavedModel takes `input_tensor`, an image of any size as uint8 h w 3, and
returns panoptic_pred, semantic_pred, instance_pred, instance_scores and
semantic_scores at that size. It is compared with the Keras model first, and
appears only if it says the same.
"""

import os
import sys

from absl import flags, logging

from deeplab2 import program
from deeplab2.config import program_flags

FLAGS = flags.FLAGS

program_flags.define_experiment_flags(required=False)
program_flags.define_weights_flag()
flags.DEFINE_alias("experiment_option_path", "config_file")
flags.DEFINE_string(
  "checkpoint_path",
  None,
  "Folder of a training run, for its newest checkpoint, or prefix of one.",
  required=True,
)
flags.DEFINE_string(
  "output_path", None, "Folder to make for the SavedModel.", required=True
)
flags.DEFINE_multi_string(
  "image", [], "Images to compare on. Default: one that is drawn."
)
flags.DEFINE_boolean(
  "full_size",
  False,
  "Run the model at the size of each image, not at the config's crop size.",
)
flags.DEFINE_boolean(
  "raw_outputs",
  False,
  "Also return pixel_space_mask_logits, transformer_class_logits, "
  "pixel_space_normalized_feature, semantic_logits and semantic_probs. The "
  "last takes height * width * classes floats.",
)
flags.DEFINE_boolean(
  "overwrite", False, "Replace a SavedModel that is there already."
)


def main(args):
  if len(args) > 1:
    sys.exit(f"Expected flags only; got {args[1:]}.")
  from deeplab2.inference.images import read_image
  from deeplab2.inference.model_folder import check_output_path

  try:
    check_output_path(FLAGS.output_path, FLAGS.overwrite)
    images = [read_image(path) for path in FLAGS.image]
  except (ValueError, OSError) as error:
    sys.exit(f"{error}")
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  logging.set_verbosity(logging.WARNING)
  # TensorFlow takes seconds to import: after the flags are known to be right.
  from deeplab2.inference.export import export_saved_model
  from deeplab2.inference.trained_model import load_trained_model
  from deeplab2.training.files import NotWrittenError

  try:
    trained = load_trained_model(
      FLAGS.checkpoint_path, FLAGS.config_file, FLAGS.set, FLAGS.weights
    )
    print(f"Exporting {trained.checkpoint} to {FLAGS.output_path}", flush=True)
    report = export_saved_model(
      trained,
      FLAGS.output_path,
      images=images,
      full_size=FLAGS.full_size,
      raw_outputs=FLAGS.raw_outputs,
      overwrite=FLAGS.overwrite,
    )
  except (ValueError, OSError, RuntimeError, NotWrittenError) as error:
    sys.exit(f"{error}")
  print(report)


if __name__ == "__main__":
  program.run(main)
