"""What TensorFlow runs for a prediction: convolutions with all that follows."""

import numpy as np
import pytest

from deeplab2 import cpu_kernels
from deeplab2.config import load_experiment
from deeplab2.layers.pointwise import pointwise
from deeplab2.models import build_meta_architecture

tf = pytest.importorskip("tensorflow")
SMALL = (
  "train_dataset_options.crop_size=33,33",
  "eval_dataset_options.crop_size=33,33",
  "trainer_options.solver_options.use_sync_batchnorm=false",
  "model_options.backbone.stem_width_multiplier=0.25",
  "model_options.backbone.backbone_width_multiplier=0.125",
  "model_options.backbone.backbone_layer_multiplier=0.34",
)


def optimized(function, *tensors):
  """The operations of a function as TensorFlow runs it."""
  from tensorflow.python.eager import context

  context.enable_run_metadata()
  try:
    tf.function(function, autograph=False)(*tensors)
    graphs = context.export_run_metadata().function_graphs
  finally:
    context.disable_run_metadata()
  return [n for graph in graphs for n in graph.post_optimization_graph.node]


@pytest.mark.parametrize("auxiliary", [False, True])
@pytest.mark.parametrize("config", ["max_deeplab_s", "max_deeplab_l"])
def test_shift_sum_and_relu_cost_no_operation_of_their_own(config, auxiliary):
  experiment = load_experiment(config, SMALL, search_files=False)
  model = build_meta_architecture(experiment).model
  image = np.zeros((1, 33, 33, 3), np.uint8)
  nodes = optimized(
    lambda image: model(image, auxiliary=auxiliary), tf.constant(image)
  )
  fused = {
    tuple(node.attr["fused_ops"].list.s)
    for node in nodes
    if node.op == "_FusedConv2D"
  }
  assert (b"BiasAdd", b"Relu") in fused
  if cpu_kernels.onednn_in_use():  # Eigen's kernels have no sum
    assert (b"BiasAdd", b"Add", b"Relu") in fused
  alone = {node.name for node in nodes if node.op == "Conv2D"}
  shifted = [n for n in nodes if n.op == "BiasAdd" and n.input[0] in alone]
  assert not shifted


def test_the_shift_of_a_wide_product_costs_none_either(monkeypatch):
  """Sum and ReLU do: a reshape stands between."""
  monkeypatch.setattr(cpu_kernels, "in_use", lambda: True)
  shapes = (1, 5, 7, 512), (512, 1024), (1024,)
  nodes = optimized(pointwise, *(tf.ones(shape) for shape in shapes))
  products = [node for node in nodes if "MatMul" in node.op]
  assert [tuple(node.attr["fused_ops"].list.s) for node in products] == [
    (b"BiasAdd",)
  ]
