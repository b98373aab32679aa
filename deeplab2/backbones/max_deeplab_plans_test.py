import pytest

from deeplab2.backbones.max_deeplab_plans import (
  MEMBERS,
  classifier_plan,
  max_deeplab_plan,
)
from deeplab2.backbones.plan import BACKBONE
from deeplab2.backbones.stage_factory import Scaling


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_fused_stages_come_before_what_they_make(name):
  known = {"stage1"}
  for stage in max_deeplab_plan(name).stages:
    assert set(stage.inputs) <= known
    known.add(stage.name)


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_widths_double_where_strides_do(name):
  for stage in max_deeplab_plan(name).stages:
    deep = stage.stride == 16 and stage.name != "stage4"
    level = 32 if deep else stage.stride
    assert stage.channels == 64 * level


def test_the_large_one_goes_up_and_down_twice_and_a_half():
  strides = [
    stage.stride
    for stage in max_deeplab_plan("max_deeplab_l").stages
    if stage.name.startswith("decoder")
  ]
  assert strides == [8, 4, 8, 16, 16, 8, 4, 8, 16, 8, 4]


def test_transformers_of_the_small_one_stand_behind_stage_5():
  counts = {
    stage.name: [block.transformer for block in stage.blocks]
    for stage in max_deeplab_plan("max_deeplab_s").stages
    if any(block.transformer for block in stage.blocks)
  }
  assert counts == {"stage5": [128] * 3, "stage5_extra": [128]}


def test_transformers_of_the_large_one_grow_with_the_stage():
  widths = {
    stage.name: {block.transformer for block in stage.blocks}
    for stage in max_deeplab_plan("max_deeplab_l").stages
    if any(block.transformer for block in stage.blocks)
  }
  assert widths == {
    "stage4": {128},
    "stage5": {256},
    "decoder_stage4": {256},
    "decoder_stage4_extra": {256},
    "decoder_stage8_extra": {256},
  }


def test_fields_of_small_members():
  plan = max_deeplab_plan(
    "max_deeplab_s",
    Scaling(width=0.25, transformer_expansion=0.5),
    num_mask_slots=16,
    memory_channels=64,
    ffn_channels=128,
  )
  assert plan.memory_slots == 16
  assert plan.memory_channels == 64
  assert plan.ffn_channels == 128
  assert plan.stages[-1].channels == 64
  assert plan.stages[3].blocks[0].transformer == 64


def test_a_classifier_has_the_backbone_and_no_memory():
  plan = classifier_plan(max_deeplab_plan("max_deeplab_l"))
  assert [stage.name for stage in plan.stages][-1] == "decoder_stage4"
  assert {stage.group for stage in plan.stages} == {BACKBONE}
  assert not any(b.transformer for stage in plan.stages for b in stage.blocks)
  assert plan.memory_slots == 0


@pytest.mark.parametrize(
  "call, message",
  [
    (
      lambda: max_deeplab_plan("max_deeplab_m"),
      "backbone.name: expected one of ['max_deeplab_l', 'max_deeplab_s']; "
      "got 'max_deeplab_m'.",
    ),
    (
      lambda: max_deeplab_plan("max_deeplab_s", num_mask_slots=0),
      "backbone.num_mask_slots: expected a positive integer, such as 128; "
      "got 0.",
    ),
  ],
)
def test_what_cannot_be_is_refused(call, message):
  with pytest.raises(ValueError) as error:
    call()
  assert str(error.value) == message
