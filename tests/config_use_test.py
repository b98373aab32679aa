"""No option is accepted and then ignored: each is read, or refused if set."""

import ast

import pytest
from source_tree import PROGRAM_FOLDERS, modules, short

from deeplab2.config import config_pb2, fields
from deeplab2.config.max_deeplab_rules import WITHOUT_EFFECT

OTHER_ARCHITECTURES = {
  "deeplab_v3",
  "deeplab_v3_plus",
  "panoptic_deeplab",
  "motion_deeplab",
  "vip_deeplab",
}
# Options whose every allowed value means the same; the schema says so.
ONE_MEANING = {
  "evaluator_options.merge_semantic_and_instance_with_tf_op",
  "model_options.backbone.output_stride",
  "train_dataset_options.thing_id_mask_annotations",
  "eval_dataset_options.thing_id_mask_annotations",
  "trainer_options.loss_options.semantic_loss.name",
  "eval_dataset_options.augmentations",
}


def options(descriptor, path=""):
  """Dotted paths of all options that a MaX-DeepLab config can set."""
  for field in descriptor.fields:
    here = f"{path}.{field.name}" if path else field.name
    if field.name in OTHER_ARCHITECTURES or here in ONE_MEANING:
      continue
    if here in WITHOUT_EFFECT:
      continue
    if not fields.is_message(field):
      yield here
    elif fields.is_repeated(field):
      yield from options(field.message_type, f"{here}.*")
    else:
      yield from options(field.message_type, here)


def words_of(file):
  """Attribute names and string constants of a file."""
  for node in ast.walk(ast.parse(file.read_text("utf-8"))):
    if isinstance(node, ast.Attribute):
      yield node.attr
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
      yield node.value


def words_outside_the_config():
  files = modules("deeplab2", *PROGRAM_FOLDERS)
  readers = [f for f in files if not short(f).startswith("deeplab2/config/")]
  return {word for file in readers for word in words_of(file)}


WORDS = words_outside_the_config()


@pytest.mark.parametrize(
  "path", sorted(set(options(config_pb2.ExperimentOptions.DESCRIPTOR)))
)
def test_an_option_is_read_somewhere(path):
  assert path.rpartition(".")[2] in WORDS, f"{path} is read nowhere"
