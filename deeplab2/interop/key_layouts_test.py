import pytest

from deeplab2.interop.key_layouts import (
  MODEL_GARDEN,
  ORIGINAL,
  OURS,
  layout_of,
)
from deeplab2.interop.original_keys import SUFFIX

KERNEL = "encoder/stem/conv/kernel"


@pytest.mark.parametrize(
  ("layout", "name"),
  [
    (OURS, f"model/{KERNEL}"),
    (ORIGINAL, f"encoder/_stem/_conv/kernel{SUFFIX}"),
    (MODEL_GARDEN, f"backbone/_encoder/_stem/_conv/kernel{SUFFIX}"),
  ],
)
def test_each_library_has_its_own_name_and_is_known_by_it(layout, name):
  assert layout.name_of(KERNEL) == name
  assert layout_of([name, "optimizer/x"]) is layout
  assert not layout.is_beside(name)


def test_model_garden_has_nothing_but_the_encoder():
  assert MODEL_GARDEN.name_of("semantic_head/final_conv/bias") is None


@pytest.mark.parametrize(
  ("layout", "name"),
  [
    (OURS, "optimizer/rest/iterations"),
    (OURS, "global_step"),
    (ORIGINAL, f"encoder/k/.OPTIMIZER_SLOT/optimizer/m{SUFFIX}"),
    (ORIGINAL, f"optimizer/iter{SUFFIX}"),
    (ORIGINAL, f"backbone_optimizer/beta_1{SUFFIX}"),
    (ORIGINAL, f"save_counter{SUFFIX}"),
    (ORIGINAL, f"global_step{SUFFIX}"),
    (ORIGINAL, "_CHECKPOINTABLE_OBJECT_GRAPH"),
    (MODEL_GARDEN, f"model/layer_with_weights-1/kernel{SUFFIX}"),
    (
      MODEL_GARDEN,
      f"backbone/_encoder/_stem/_conv/kernel/.OPTIMIZER_SLOT/o/m{SUFFIX}",
    ),
  ],
)
def test_what_is_not_of_the_model_is_told_apart(layout, name):
  assert layout.is_beside(name)


@pytest.mark.parametrize(
  "name",
  [f"optimizer_head/kernel{SUFFIX}", f"global_step_head/kernel{SUFFIX}"],
)
def test_a_name_that_only_begins_alike_is_not(name):
  assert not ORIGINAL.is_beside(name)
