import dataclasses

import numpy as np
import pytest

from deeplab2.config import config_pb2
from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.interop.class_rows import CHANNELS, CLASS_IDS
from deeplab2.interop.conftest import build_network, values_of
from deeplab2.training import checkpoints
from deeplab2.training.initial_weights import (
  class_carry_over,
  load_initial_weights,
)

SHAPES = dataclasses.replace(
  COCO_PANOPTIC,
  name="few",
  thing_ids=(2, 1),
  class_names=("void", "cat", "boat", "grass-merged", "lava"),
  colors=COCO_PANOPTIC.colors[:5],
  category_ids=(None, 1, 2, 3, 4),
)


@pytest.fixture
def prefix(tmp_path):
  prefix = str(tmp_path / "ckpt-1")
  checkpoints.save(prefix, checkpoints.model_state(build_network(seed=1)))
  return prefix


def load(model, dataset=None, **options):
  return load_initial_weights(
    model, config_pb2.ModelOptions(**options), dataset
  )


def test_no_checkpoint_leaves_the_weights():
  assert load(None) is None


def test_all_weights_are_taken(prefix):
  network = build_network(seed=2)
  assert load(network, initial_checkpoint=prefix) == f"Weights of {prefix}."
  expected = values_of(build_network(seed=1))
  for path, value in values_of(network).items():
    np.testing.assert_array_equal(value, expected[path], err_msg=path)


@pytest.mark.parametrize(
  ("head", "layer"),
  [
    ("semantic", "semantic_head/final_conv"),
    ("instance", "mask_head/transformer_class_head/conv"),
  ],
)
def test_last_layers_can_start_afresh(prefix, head, layer):
  network = build_network(seed=2)
  before = values_of(network)[f"{layer}/kernel"]
  field = f"restore_{head}_last_layer_from_initial_checkpoint"
  text = load(network, initial_checkpoint=prefix, **{field: False})
  assert text.splitlines() == [
    f"Weights of {prefix}.",
    f"Starts afresh as asked: {layer}.",
  ]
  np.testing.assert_array_equal(values_of(network)[f"{layer}/kernel"], before)


def test_patterns_of_the_config_explain(prefix):
  network = build_network(seed=2)
  state = checkpoints.model_state(build_network(seed=1))
  state.pop("model/encoder/stage5_extra/conv/kernel")
  state["model/alien/kernel"] = state["model/encoder/stem/conv/kernel"]
  checkpoints.save(prefix, state)
  allowed = {"initial_checkpoint_allow_missing": ["encoder/stage5_extra/conv"]}
  with pytest.raises(ValueError, match="model/alien/kernel"):
    load(network, initial_checkpoint=prefix, **allowed)
  allowed["initial_checkpoint_allow_unused"] = ["model/alien/"]
  text = load(network, initial_checkpoint=prefix, **allowed)
  assert text.endswith("Left in the file: model/alien/kernel.")


def test_classes_of_one_name_are_carried_over_from_coco_to_few(tmp_path):
  coco = COCO_PANOPTIC
  source = build_network(1, coco.num_classes, coco.layout.num_channels)
  target = build_network(2, SHAPES.num_classes, SHAPES.layout.num_channels)
  before = values_of(target)
  prefix = str(tmp_path / "ckpt-1")
  checkpoints.save(prefix, checkpoints.model_state(source))
  text = load(
    target,
    SHAPES,
    initial_checkpoint=prefix,
    carry_over_classes_from="coco_panoptic",
  )
  assert text.splitlines()[1:] == [
    "Starts afresh for other classes: semantic_head/final_conv (134 -> 5), "
    "mask_head/transformer_class_head/conv (134 -> 5).",
    "Rows carried over by name: 4 of class_ids, 4 of channels.",
  ]
  given, after = values_of(source), values_of(target)
  ids = [coco.class_names.index(n) for n in SHAPES.class_names[:4]]
  semantic, slots = (
    "semantic_head/final_conv/bias",
    "mask_head/transformer_class_head/conv/bias",
  )
  np.testing.assert_array_equal(after[semantic][:4], given[semantic][ids])
  assert after[semantic][4] == before[semantic][4]
  # Channels: boat, cat, grass-merged, lava, void. COCO's begin at class 1.
  wanted = [ids[2] - 1, ids[1] - 1, ids[3] - 1, 133]
  np.testing.assert_array_equal(
    after[slots][[0, 1, 2, 4]], given[slots][wanted]
  )
  assert after[slots][3] == before[slots][3]


def test_nothing_is_carried_over_unasked():
  assert class_carry_over(config_pb2.ModelOptions(), SHAPES) is None
  asked = config_pb2.ModelOptions(carry_over_classes_from="coco_panoptic")
  assert class_carry_over(asked, SHAPES).target == {
    CLASS_IDS: SHAPES.class_names,
    CHANNELS: ("boat", "cat", "grass-merged", "lava", "void"),
  }
  with pytest.raises(ValueError, match="got 'coco_panoptic' without one"):
    class_carry_over(asked, None)


def test_a_missing_checkpoint_is_an_error(tmp_path):
  with pytest.raises(ValueError, match="checkpoint: expected the prefix of"):
    load(build_network(), initial_checkpoint=str(tmp_path))
