"""Tests of what the pipeline takes from the config."""

import pytest

from deeplab2.config import dataset_pb2
from deeplab2.input.settings import read_settings
from deeplab2.input.targets.small_instances import SmallInstances
from deeplab2.input.transforms.autoaugment import SIMPLE
from deeplab2.input.transforms.copy_paste import PasteRule


def options(**fields) -> dataset_pb2.DatasetOptions:
  return dataset_pb2.DatasetOptions(**{"crop_size": (33, 49), **fields})


def test_defaults_augment_nothing():
  settings = read_settings(options())
  assert settings.crop_size == (33, 49)
  assert settings.min_size is None
  assert settings.max_size is None
  assert settings.resize_factor is None
  assert settings.scales.factors == (1.0,)
  assert settings.policy is None
  assert settings.paste_scale == 0
  assert settings.paste_rule == PasteRule("random", "random", "none")
  assert settings.small_instances == SmallInstances(0, 1.0)
  assert settings.max_things == 128
  assert settings.labelled


def test_every_field_arrives():
  settings = read_settings(
    options(
      batch_size=6,
      min_resize_value=[17],
      max_resize_value=[31, 47],
      resize_factor=16,
      increase_small_instance_weights=True,
      small_instance_threshold=50,
      small_instance_weight=2.0,
      max_thing_id=7,
      decode_groundtruth_label=False,
      augmentations={
        "min_scale_factor": 0.5,
        "max_scale_factor": 1.0,
        "scale_factor_step_size": 0.25,
        "autoaugment_policy_name": "simple_classification_policy",
        "panoptic_copy_paste": {
          "panoptic_copy_paste_scale": 2.0,
          "panoptic_copy_paste_thing_option": "all",
          "panoptic_copy_paste_stuff_option": "none",
          "panoptic_copy_paste_void_option": "random",
        },
      },
    )
  )
  assert settings.batch_size == 6
  assert settings.min_size == (17, 17)
  assert settings.max_size == (31, 47)
  assert settings.resize_factor == 16
  assert settings.scales.factors == (0.5, 0.75, 1.0)
  assert settings.policy == SIMPLE
  assert settings.paste_scale == 2.0
  assert settings.paste_rule == PasteRule("all", "none", "random")
  assert settings.small_instances == SmallInstances(50, 2.0)
  assert settings.max_things == 7
  assert not settings.labelled


def test_zero_is_no_limit():
  settings = read_settings(options(min_resize_value=[0], max_resize_value=[0]))
  assert settings.min_size is None
  assert settings.max_size is None


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    (
      {"crop_size": []},
      "crop_size: expected height and width in pixels, such as 641, 641; "
      "got [].",
    ),
    (
      {"crop_size": [3, 5, 7]},
      "crop_size: expected one number or height and width, such as 641, 641; "
      "got [3, 5, 7].",
    ),
    ({"batch_size": 0}, "batch_size: expected at least 1; got 0."),
    ({"max_thing_id": 0}, "max_things: expected at least 1; got 0."),
    (
      {"use_two_frames": True},
      "use_two_frames: expected it unset, this pipeline reads single images; "
      "got True.",
    ),
    (
      {
        "augmentations": {
          "panoptic_copy_paste": {"panoptic_copy_paste_scale": -1.0}
        }
      },
      "panoptic_copy_paste_scale: expected 0 or more, such as 1.0; got -1.0.",
    ),
  ],
)
def test_wrong_fields_are_refused(fields, message):
  with pytest.raises(ValueError) as error:
    read_settings(options(**fields))
  assert str(error.value) == message
