import pytest

from deeplab2.backbones.max_deeplab_plans import SMALL
from deeplab2.backbones.stage_factory import Scaling, StageFactory


def _encoder(index, **scaling):
  return StageFactory(SMALL, Scaling(**scaling)).encoder(index)


def test_only_the_first_block_of_a_stage_has_a_stride():
  assert [block.strides for block in _encoder(3).blocks] == [2, 1, 1, 1]


def test_the_last_stage_keeps_the_resolution():
  assert [block.strides for block in _encoder(5).blocks] == [1, 1, 1]


def test_attention_begins_behind_the_step_to_stride_16():
  kinds = [block.kind for block in _encoder(4).blocks]
  assert kinds == ["bottleneck"] + ["axial"] * 5
  assert [block.channels for block in _encoder(4).blocks[:2]] == [
    (256, 256, 1024),
    (512, 256, 512, 1024),
  ]


def test_width_scales_all_channels_and_depth_the_blocks():
  stage = _encoder(4, width=0.25, depth=0.5)
  assert len(stage.blocks) == 3
  assert stage.blocks[1].channels == (128, 64, 128, 256)


def test_linear_drop_rates_follow_the_level_a_block_enters_at():
  scaling = dict(drop_path_rate=0.2, drop_path_schedule="linear")
  rates = [
    [round(block.drop_rate, 6) for block in _encoder(i, **scaling).blocks]
    for i in (3, 4, 5)
  ]
  assert rates == [[0] * 4, [0] + [0.15] * 5, [0.15, 0.2, 0.2]]


def test_a_depth_that_leaves_no_block_is_refused():
  with pytest.raises(ValueError) as error:
    _encoder(2, depth=0.3)
  assert str(error.value) == (
    "backbone_layer_multiplier: expected at least one block in each stage; "
    "got 0.3, which leaves stage2 none."
  )


@pytest.mark.parametrize(
  "field, value, message",
  [
    ("width", 0, "width multiplier: expected a positive number"),
    ("drop_path_rate", 1.0, "drop_path_keep_prob: expected 0 < p <= 1"),
  ],
)
def test_scalings_out_of_range_are_refused(field, value, message):
  with pytest.raises(ValueError, match=message):
    Scaling(**{field: value})
