import pytest

from deeplab2.config import config_pb2, fields
from deeplab2.config.max_deeplab_rules import RULES, WITHOUT_EFFECT

BACKBONE = "model_options.backbone"
DECODER = "model_options.decoder"
HEADS = "model_options.max_deeplab"
LOSSES = "trainer_options.loss_options"


def field_of(path):
  descriptor = config_pb2.ExperimentOptions.DESCRIPTOR
  *parents, name = path.replace(".*", "").split(".")
  for parent in parents:
    descriptor = descriptor.fields_by_name[parent].message_type
  return descriptor.fields_by_name[name]


@pytest.mark.parametrize("path", sorted({**RULES, **WITHOUT_EFFECT}))
def test_every_path_of_the_tables_is_a_field(path):
  assert field_of(path)


def other_value(field):
  """Text for a value that is not the default."""
  kinds = fields.Field
  if field.cpp_type == kinds.CPPTYPE_BOOL:
    return "false" if field.default_value else "true"
  if field.cpp_type == kinds.CPPTYPE_STRING:
    return "other"
  return "0.5" if field.cpp_type == kinds.CPPTYPE_FLOAT else "77"


@pytest.mark.parametrize("path", sorted(WITHOUT_EFFECT))
def test_an_option_without_effect_is_refused_with_the_reason(complaint, path):
  field, where = field_of(path), path
  if fields.is_message(field):
    field = field.message_type.fields[1]
    where = f"{path}.{field.name}"
  text = complaint(f"{where}={other_value(field)}")
  assert f"{path}: expected unset, {WITHOUT_EFFECT[path]}; got " in text


@pytest.mark.parametrize(
  ("path", "value", "rule"),
  [
    (
      f"{BACKBONE}.name",
      "'resnet50'",
      "one of 'max_deeplab_s', 'max_deeplab_l'",
    ),
    (f"{BACKBONE}.output_stride", "32", "16"),
    (f"{BACKBONE}.num_mask_slots", "0", "1 or more"),
    (f"{BACKBONE}.memory_channels", "0", "1 or more"),
    (f"{BACKBONE}.transformer_expansion", "0", "more than 0"),
    (
      f"{HEADS}.auxiliary_low_level.0.feature_key",
      "'res4'",
      "one of 'res3', 'res2'",
    ),
    (f"{HEADS}.pixel_space_head.output_channels", "0", "1 or more"),
    (f"{LOSSES}.semantic_loss.name", "'mse'", "'softmax_cross_entropy'"),
    (f"{LOSSES}.semantic_loss.top_k_percent", "0", "more than 0 and at most 1"),
    (f"{LOSSES}.pq_style_loss.weight", "-1", "0 or more"),
    (
      f"{BACKBONE}.num_mask_slots",
      "256",
      "less than 256, the divisor of 'small'",
    ),
    (
      "train_dataset_options.thing_id_mask_annotations",
      "false",
      "true or unset, MaX-DeepLab needs the labels",
    ),
    (
      "eval_dataset_options.decode_groundtruth_label",
      "false",
      "true or unset, MaX-DeepLab needs the labels",
    ),
  ],
)
def test_a_value_against_the_rule_is_refused(complaint, path, value, rule):
  text = value.strip("'[]")
  lines = complaint(f"{path}={text}").splitlines()
  assert f"{path}: expected {rule}; got {value}." in map(str.strip, lines)


def test_a_pyramid_needs_rates_for_its_branches(load, complaint):
  rates, bare = (
    f"{DECODER}.atrous_rates",
    f"{DECODER}.aspp_use_only_1x1_proj_conv",
  )
  assert complaint(f"{rates}=6, 12", f"{bare}=false") == (
    f"{rates}: expected three numbers, such as 6, 12, 18; got [6, 12]."
  )
  assert load(f"{rates}=6, 12", f"{bare}=true")


def test_finer_features_come_from_coarse_to_fine(complaint):
  path = f"{HEADS}.auxiliary_low_level"
  assert complaint(
    f"{path}.0.feature_key=res2", f"{path}.1.feature_key=res3"
  ) == (
    f"{path}: expected features from coarse to fine, 'res3' then 'res2'; got "
    "['res2', 'res3']."
  )


def test_a_term_of_the_loss_cannot_be_forgotten(load, tmp_path):
  from deeplab2.config import format_textproto, load_experiment

  experiment = load()
  experiment.trainer_options.loss_options.ClearField("pq_style_loss")
  path = tmp_path / "some.textproto"
  path.write_text(format_textproto(experiment))
  with pytest.raises(ValueError) as error:
    load_experiment(path)
  assert str(error.value) == (
    f"{LOSSES}.pq_style_loss: expected the message with its weight, 0 to leave "
    "the term out; got none."
  )


def test_the_number_of_classes_is_the_dataset_s(load, complaint, small_dataset):
  path = f"{HEADS}.auxiliary_semantic_head.output_channels"
  assert fields.value_at(load(), path) == small_dataset.num_classes == 6
  assert complaint(f"{path}=134") == (
    f"{path}: expected 6, the number of classes of 'small'; got 134. Set it "
    f"with --set {path}=6"
  )
  assert fields.value_at(load(f"{path}=6"), path) == 6
