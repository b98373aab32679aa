import pytest

from deeplab2.backbones.max_deeplab_plans import max_deeplab_plan


def test_features_are_known_by_the_names_of_configs():
  plan = max_deeplab_plan("max_deeplab_s")
  assert plan.stage_behind("res3") == "stage3"
  assert plan.stage_behind("feature_semantic") == "stage5"
  with pytest.raises(ValueError) as error:
    plan.stage_behind("res6")
  assert str(error.value) == (
    "feature_key: expected one of ['backbone_output', 'feature_panoptic', "
    "'feature_semantic', 'res1', 'res2', 'res3', 'res4', 'res5']; got 'res6'."
  )


def test_a_plan_prints_a_line_for_each_stage():
  text = str(max_deeplab_plan("max_deeplab_s"))
  assert len(text.splitlines()) == 8
  assert "stage5_extra             1/16   2048 rest" in text
