"""Files of either library into a small network, whole, partial and broken."""

import re
import tarfile

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.interop.class_rows import CHANNELS, CLASS_IDS, CarryOver
from deeplab2.interop.conftest import build_network, values_of
from deeplab2.interop.import_plan import Exceptions
from deeplab2.interop.import_weights import (
  UnexplainedError,
  class_axes,
  import_weights,
  model_layout,
)
from deeplab2.interop.key_layouts import MODEL_GARDEN, ORIGINAL, OURS
from deeplab2.interop.original_keys import SUFFIX

STEM = "encoder/stem/"
FINAL = "semantic_head/final_conv/"
CLASS_HEAD = "mask_head/transformer_class_head/"


def write(prefix, arrays):
  tf.raw_ops.SaveV2(
    prefix=str(prefix),
    tensor_names=list(arrays),
    shape_and_slices=[""] * len(arrays),
    tensors=list(map(tf.constant, arrays.values())),
  )
  return str(prefix)


def arrays_of(network, layout):
  named = {layout.name_of(p): v for p, v in values_of(network).items()}
  named.pop(None, None)
  return named


@pytest.fixture
def source():
  return build_network(seed=1)


@pytest.fixture
def target():
  return build_network(seed=2)


def assert_equal(actual, expected, where=""):
  for path, value in expected.items():
    if path.startswith(where):
      np.testing.assert_array_equal(actual[path], value, err_msg=path)


@pytest.mark.parametrize("layout", [OURS, ORIGINAL])
def test_every_bit_arrives(tmp_path, source, target, layout):
  prefix = write(tmp_path / "ckpt-5", arrays_of(source, layout))
  done = import_weights(target, prefix)
  assert_equal(values_of(target), values_of(source))
  assert done.source == prefix
  assert done.lines() == []
  assert done.step is None


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_precisions_are_cast(tmp_path, source, target, dtype):
  arrays = {
    name: tf.cast(value, dtype)
    for name, value in arrays_of(source, ORIGINAL).items()
  }
  done = import_weights(target, write(tmp_path / "ckpt-1", arrays))
  for path, value in values_of(source).items():
    rounded = tf.cast(tf.cast(value, dtype), tf.float32)
    np.testing.assert_array_equal(values_of(target)[path], rounded)
  count = len(source.variables)
  assert done.lines() == [f"Cast to float32: {count} arrays of {dtype}."]


@pytest.mark.parametrize("dtype", ["int32", "string", "complex64"])
def test_what_is_no_real_number_is_refused(tmp_path, source, target, dtype):
  before = values_of(target)
  arrays = arrays_of(source, ORIGINAL)
  name = ORIGINAL.name_of(f"{FINAL}bias")
  arrays[name] = tf.zeros(arrays[name].shape, tf.as_dtype(dtype))
  prefix = write(tmp_path / "ckpt-1", arrays)
  with pytest.raises(ValueError) as error:
    import_weights(target, prefix)
  assert str(error.value) == (
    f"checkpoint {prefix}: expected weights of one of ['float32', 'float64', "
    f"'float16', 'bfloat16']; got {dtype} at {name}."
  )
  assert_equal(values_of(target), before)


def test_slots_and_counters_are_passed_over(tmp_path, source, target):
  arrays = arrays_of(source, ORIGINAL)
  kernel = ORIGINAL.name_of(f"{STEM}conv/kernel").removesuffix(SUFFIX)
  arrays |= {
    f"{kernel}/.OPTIMIZER_SLOT/backbone_optimizer/m{SUFFIX}": np.zeros(3),
    f"optimizer/iter{SUFFIX}": np.array(5),
    f"save_counter{SUFFIX}": np.array(1),
    f"global_step{SUFFIX}": np.array(4321),
  }
  done = import_weights(target, write(tmp_path / "ckpt-1", arrays))
  assert len(done.plan.beside) == 4
  assert done.step == 4321


def test_what_is_not_finite_is_told(tmp_path, source, target):
  arrays = arrays_of(source, ORIGINAL)
  for path, value in (("conv/kernel", np.nan), ("batch_norm/beta", np.inf)):
    arrays[ORIGINAL.name_of(STEM + path)].flat[3] = value
  done = import_weights(target, write(tmp_path / "ckpt-1", arrays))
  assert done.lines() == [
    "warning: not finite in the file: 2 variables, the first of them"
    f" {STEM}batch_norm/beta."
  ]


def test_a_file_cut_short_in_what_nobody_wants_is_noticed(
  tmp_path, source, target
):
  before = values_of(target)
  last = f"optimizer/iter{SUFFIX}"
  arrays = arrays_of(source, ORIGINAL) | {last: np.arange(5)}
  prefix = write(tmp_path / "ckpt-1", arrays)
  (data,) = tmp_path.glob("*.data-*")
  data.write_bytes(data.read_bytes()[:-3])
  with pytest.raises(ValueError, match=f"cut short or garbled.*{last}"):
    import_weights(target, prefix)
  assert_equal(values_of(target), before)


def test_an_archive_is_read_as_it_is(tmp_path, source, target):
  folder = tmp_path / "max"
  folder.mkdir()
  write(folder / "ckpt-5", arrays_of(source, ORIGINAL))
  path = tmp_path / "max.tar.gz"
  with tarfile.open(path, "w:gz") as file:
    file.add(folder, arcname="max")
  assert import_weights(target, path).source == str(path)
  assert_equal(values_of(target), values_of(source))


def test_model_garden_gives_the_encoder(tmp_path, source, target):
  before = values_of(target)
  arrays = arrays_of(source, MODEL_GARDEN)
  arrays = {n: a for n, a in arrays.items() if "extra" not in n}
  arrays[f"model/classifier/kernel{SUFFIX}"] = np.zeros((5, 1000))
  done = import_weights(target, write(tmp_path / "ckpt-1", arrays))
  after = values_of(target)
  assert_equal(after, values_of(source), STEM)
  assert_equal(after, before, "encoder/stage5_extra/")
  assert_equal(after, before, "semantic_head/")
  assert [line.partition(":")[0] for line in done.lines()] == [
    "Starts afresh beyond a pretrained backbone"
  ]


def test_a_backbone_brings_its_moving_averages(source):
  paths = model_layout(source).backbone
  assert {p.removeprefix(STEM) for p in paths} == {
    "conv/kernel",
    "batch_norm/gamma",
    "batch_norm/beta",
    "batch_norm/moving_mean",
    "batch_norm/moving_variance",
  }


def test_a_backbone_has_to_be_whole(tmp_path, source, target):
  arrays = arrays_of(source, ORIGINAL)
  lost = ORIGINAL.name_of(f"{STEM}batch_norm/moving_mean")
  arrays = {n: a for n, a in arrays.items() if "_stem" in n and n != lost}
  with pytest.raises(UnexplainedError) as error:
    import_weights(target, write(tmp_path / "ckpt-1", arrays))
  assert f"\nMissing in the file (1):\n  {lost}\n" in str(error.value)


@pytest.mark.parametrize("fault", ["missing", "foreign", "transposed"])
def test_nothing_is_assigned_unless_everything_fits(
  tmp_path, source, target, fault
):
  before = values_of(target)
  arrays = arrays_of(source, ORIGINAL)
  kernel = ORIGINAL.name_of(f"{STEM}conv/kernel")
  if fault == "missing":
    del arrays[kernel]
  elif fault == "foreign":
    arrays[f"encoder/_stage9/kernel{SUFFIX}"] = np.zeros(3)
  else:
    arrays[kernel] = arrays[kernel].transpose(0, 1, 3, 2)
  with pytest.raises(UnexplainedError) as error:
    import_weights(target, write(tmp_path / "ckpt-1", arrays))
  amiss = f"encoder/_stage9/kernel{SUFFIX}" if fault == "foreign" else kernel
  assert f"  {amiss}" in str(error.value)
  assert ("(transposed?)" in str(error.value)) == (fault == "transposed")
  assert error.value.plan.unexplained
  assert_equal(values_of(target), before)


def test_the_pattern_that_the_error_names_lets_it_go_on(
  tmp_path, source, target
):
  before = values_of(target)
  arrays = arrays_of(source, ORIGINAL)
  del arrays[ORIGINAL.name_of(f"{STEM}conv/kernel")]
  prefix = write(tmp_path / "ckpt-1", arrays)
  with pytest.raises(UnexplainedError) as error:
    import_weights(target, prefix)
  (pattern,) = re.findall("--allow_missing='(.*)'", str(error.value))
  import_weights(target, prefix, Exceptions(missing=(pattern,)))
  assert_equal(values_of(target), before, f"{STEM}conv/kernel")


def test_patterns_let_it_go_on(tmp_path, source, target):
  before = values_of(target)
  arrays = arrays_of(source, ORIGINAL)
  del arrays[ORIGINAL.name_of(f"{FINAL}bias")]
  arrays[f"other/kernel{SUFFIX}"] = np.zeros(3)
  done = import_weights(
    target,
    write(tmp_path / "ckpt-1", arrays),
    Exceptions(missing=("semantic_head/final",), unused=("other/",)),
  )
  assert_equal(values_of(target), before, f"{FINAL}bias")
  assert_equal(values_of(target), values_of(source), f"{FINAL}kernel")
  assert done.lines() == [
    "Starts afresh as asked: semantic_head/final_conv.",
    f"Left in the file: other/kernel{SUFFIX}.",
  ]


def test_other_classes_start_afresh_unless_all_is_wanted(tmp_path, source):
  target = build_network(seed=2, classes=3, channels=2)
  before = values_of(target)
  prefix = write(tmp_path / "ckpt-1", arrays_of(source, ORIGINAL))
  with pytest.raises(UnexplainedError):
    import_weights(target, prefix, whole=True)
  assert import_weights(target, prefix).lines() == [
    "Starts afresh for other classes: semantic_head/final_conv (7 -> 3), "
    "mask_head/transformer_class_head/conv (11 -> 2)."
  ]
  after = values_of(target)
  assert_equal(after, before, FINAL)
  assert_equal(after, before, CLASS_HEAD)
  assert_equal(after, values_of(source), "encoder/")


def test_rows_of_common_classes_are_carried_over(tmp_path, source):
  assert set(class_axes(source).values()) == {CLASS_IDS, CHANNELS}
  target = build_network(seed=2, classes=3, channels=2)
  before, given = values_of(target), values_of(source)
  prefix = write(tmp_path / "ckpt-1", arrays_of(source, ORIGINAL))
  carry_over = CarryOver(
    "letters",
    {CLASS_IDS: tuple("abcdefg"), CHANNELS: tuple("abcdefghijk")},
    {CLASS_IDS: ("x", "g", "b"), CHANNELS: ("k", "y")},
  )
  done = import_weights(target, prefix, carry_over=carry_over)
  after = values_of(target)
  for leaf in ("kernel", "bias"):
    path = f"{FINAL}{leaf}"
    np.testing.assert_array_equal(after[path][..., 0], before[path][..., 0])
    np.testing.assert_array_equal(
      after[path][..., 1:], given[path][..., [6, 1]]
    )
    path = f"{CLASS_HEAD}conv/{leaf}"
    np.testing.assert_array_equal(after[path][..., 0], given[path][..., 10])
    np.testing.assert_array_equal(after[path][..., 1], before[path][..., 1])
  assert done.carried == {CLASS_IDS: 2, CHANNELS: 1}
  assert done.lines()[-1] == (
    "Rows carried over by name: 2 of class_ids, 1 of channels."
  )


def test_the_table_counts_all_parameters(tmp_path, source, target):
  prefix = write(tmp_path / "ckpt-1", arrays_of(source, ORIGINAL))
  total = sum(value.size for value in values_of(source).values())
  first = import_weights(target, prefix).table().splitlines()[1]
  assert first.split() == ["assigned", str(len(source.variables)), str(total)]
