import pytest
import tensorflow as tf
from PIL import Image

from deeplab2.benchmark.jobs import Job
from deeplab2.benchmark.operations import (
  kind_of,
  plot_operations,
  seconds_by_kind,
)


def _job(part="operations", **changes):
  return Job(**{"part": part, "config_file": "a", "size": 33, **changes})


@pytest.mark.parametrize(
  ("operation", "kind"),
  [
    ("_MklNativeFusedConv2D", "convolution"),
    ("_MklBatchMatMulV2", "product of matrices"),
    ("FusedBatchNormV3", "normalization, softmax"),
    ("StridedSlice", "part or join"),
    ("TopKV2", "largest, sum"),
    ("AddV2", "value by value"),
    ("Maximum", "value by value"),
    ("While", None),
    ("ReadVariableOp", None),
  ],
)
def test_kernels_have_a_kind(operation, kind):
  assert kind_of(operation) == kind


def test_the_time_of_a_call_goes_where_its_work_is():
  x = tf.random.normal((300, 300))

  @tf.function
  def multiply():
    y = x
    for _ in range(20):
      y = tf.matmul(y, x)
    return tf.transpose(y)

  multiply()
  seconds = seconds_by_kind(lambda: multiply().numpy())
  assert next(iter(seconds)) == "product of matrices"
  assert "order of axes" in seconds
  assert "convolution" not in seconds


def test_each_job_has_its_bars(tmp_path):
  path = tmp_path / "operations.png"
  operations = {"convolution": 3.0, "resize": 1.0}
  results = [
    (_job(precision=precision), {"operations": operations})
    for precision in ("float32", "mixed_bfloat16")
  ]
  plot_operations([*results, (_job("loss"), {"median": 1})], str(path))
  with Image.open(path) as image:
    colors = {color for _, color in image.convert("RGB").getcolors(10**6)}
  assert {(0x25, 0x63, 0xA8), (0xD1, 0x66, 0x2A)} <= colors


def test_nothing_measured_is_told(tmp_path):
  with pytest.raises(ValueError, match="measured operations; got none"):
    plot_operations([(_job("loss"), {"median": 1})], str(tmp_path / "a.png"))
