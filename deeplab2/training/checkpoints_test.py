import keras
import numpy as np
import pytest
import tensorflow as tf

from deeplab2.interop.original_keys import SUFFIX, original_key
from deeplab2.layers.variable_paths import variables_by_path
from deeplab2.training import (
  checkpoint_files,
  checkpoints,
  files,
  optimizers,
)
from deeplab2.training import fake_architecture as fake


def model(seed=0):
  keras.utils.set_random_seed(seed)
  return fake.build(fake.experiment()).model


def values(model):
  return {p: v.numpy() for p, v in variables_by_path(model).items()}


def assert_equal(left, right):
  assert left.keys() == right.keys()
  for name in left:
    np.testing.assert_array_equal(left[name], right[name], err_msg=name)


def folder(directory, keep=2):
  step = tf.Variable(0, dtype=tf.int64)
  state = {checkpoints.GLOBAL_STEP: step}
  return checkpoints.CheckpointFolder(directory, state, keep=keep), step


def save_steps(directory, steps, keep=2):
  saved, step = folder(directory, keep)
  for number in steps:
    step.assign(number)
    saved.save(number)
  return saved


def test_a_model_finds_its_values_again(tmp_path):
  source, target = model(1), model(2)
  prefix = str(tmp_path / "ckpt-3")
  checkpoints.save(prefix, checkpoints.model_state(source))
  assert checkpoints.load_checkpoint(target, prefix) == prefix
  assert_equal(values(source), values(target))


def test_a_directory_stands_for_its_newest_checkpoint(tmp_path):
  source, target = model(1), model(2)
  state = checkpoints.model_state(source)
  for step in (9, 10):
    checkpoints.save(str(tmp_path / f"ckpt-{step}"), state)
  assert checkpoints.load_checkpoint(target, tmp_path).endswith("ckpt-10")


def test_training_state_has_model_optimizers_and_step():
  network = model()
  solver = fake.experiment(
    backbone_learning_rate_multiplier=0.1
  ).trainer_options.solver_options
  groups = optimizers.build_parameter_groups(network, solver)
  state = checkpoints.training_state(network, groups, tf.Variable(0))
  assert "model/norm/moving_mean" in state
  assert "optimizer/backbone/encoder/kernel/momentum" in state
  assert "optimizer/rest/iterations" in state
  held = len(network.variables) + sum(
    len(g.optimizer.variables) for g in groups
  )
  assert len(state) == held + 1


def test_what_does_not_fit_is_listed_and_nothing_is_assigned(tmp_path):
  network = model(1)
  before = values(network)
  arrays = {
    f"model/{path}": value + 1 for path, value in values(model(2)).items()
  }
  del arrays["model/encoder/kernel"]
  arrays["model/extra"] = np.zeros(3, np.float32)
  arrays["model/norm/gamma"] = np.zeros(11, np.float32)
  prefix = str(tmp_path / "ckpt-1")
  checkpoint_files.write(prefix, arrays)
  with pytest.raises(ValueError) as error:
    checkpoints.load_checkpoint(network, prefix)
  assert str(error.value).startswith(
    f"checkpoint {prefix}: does not fit the model.\n"
    "Missing in the file (1):\n"
    "  model/encoder/kernel\n"
    "Unexpected in the file (1):\n"
    "  model/extra\n"
    "Of another shape (1):\n"
    "  model/norm/gamma: [8] in the model, [11] in the file"
  )
  assert_equal(values(network), before)


def test_layers_left_afresh_may_have_another_shape(tmp_path):
  source, target = model(1), model(2)
  before = values(target)
  arrays = {f"model/{path}": value for path, value in values(source).items()}
  arrays["model/class_layer/kernel"] = np.zeros((8, 99), np.float32)
  prefix = str(tmp_path / "ckpt-1")
  checkpoint_files.write(prefix, arrays)
  checkpoints.load_checkpoint(target, prefix, afresh=["class_layer/"])
  after = values(target)
  for path in after:
    kept = path.startswith("class_layer/")
    expected = before[path] if kept else arrays[f"model/{path}"]
    np.testing.assert_array_equal(after[path], expected, err_msg=path)


def test_the_original_librarys_keys_are_understood(tmp_path):
  source, target = model(1), model(2)
  arrays = {original_key(p) + SUFFIX: v for p, v in values(source).items()}
  kernel = original_key("encoder/kernel")
  arrays |= {
    f"{kernel}/.OPTIMIZER_SLOT/optimizer/m{SUFFIX}": np.zeros(3),
    f"optimizer/iter{SUFFIX}": np.array(5),
    f"save_counter{SUFFIX}": np.array(1),
    f"global_step{SUFFIX}": np.array(5),
  }
  prefix = str(tmp_path / "ckpt-5")
  checkpoint_files.write(prefix, arrays)
  checkpoints.load_checkpoint(target, prefix)
  assert_equal(values(source), values(target))


def test_no_checkpoint_is_an_error(tmp_path):
  with pytest.raises(ValueError, match="found none at"):
    checkpoints.load_checkpoint(model(), tmp_path)


def _trained():
  """Variables with those of an optimizer, and a step that changes them all."""
  network = model()
  groups = optimizers.build_parameter_groups(
    network, fake.experiment().trainer_options.solver_options
  )
  state = checkpoints.training_state(network, groups, tf.Variable(0))

  @tf.function
  def step():
    state[checkpoints.GLOBAL_STEP].assign_add(1)
    for group in groups:
      variables = list(group.variables.values())
      group.optimizer.apply([tf.ones(v.shape) for v in variables], variables)

  return state, step


def test_writing_takes_the_memory_of_the_variables(tmp_path, monkeypatch):
  state, step = _trained()
  step()
  given = {}
  monkeypatch.setattr(
    checkpoint_files, "write", lambda prefix, arrays: given.update(arrays)
  )
  checkpoints.save(str(tmp_path / "ckpt-1"), state)
  assert given.keys() == state.keys()
  for name, variable in state.items():
    keras_variable = isinstance(variable, keras.Variable)
    held = (variable.value if keras_variable else variable).read_value()
    assert np.shares_memory(memoryview(held), memoryview(given[name])), name


def test_a_step_that_comes_meanwhile_is_not_in_it(tmp_path):
  state, step = _trained()
  step()
  before = {name: checkpoints.value_of(v).copy() for name, v in state.items()}
  saved = checkpoints.CheckpointFolder(tmp_path, state)

  def still():
    step()
    return True

  prefix = saved.save(1, still=still)
  assert_equal(before, checkpoint_files.read(prefix, state))
  name = "model/encoder/kernel"
  assert not np.array_equal(before[name], checkpoints.value_of(state[name]))


def test_the_last_few_are_kept_in_order_of_number(tmp_path):
  saved = save_steps(tmp_path, [8, 9, 10, 100], keep=3)
  assert saved.steps() == [9, 10, 100]
  assert tf.train.latest_checkpoint(tmp_path) == saved.prefix(100)


def test_the_newest_is_restored(tmp_path):
  save_steps(tmp_path, [9, 10])
  again, step = folder(tmp_path)
  assert again.restore_newest() == 10
  assert int(step) == 10


def test_a_broken_newest_is_passed_over_and_said_so(tmp_path):
  saved = save_steps(tmp_path, [9, 10])
  (tmp_path / "ckpt-10.data-00000-of-00001").write_bytes(b"")
  again, step = folder(tmp_path)
  lines = []
  assert again.restore_newest(lines.append) == 9
  assert int(step) == 9
  start = f"Passed over checkpoint {saved.prefix(10)}: cannot be read: "
  assert lines[0].startswith(start)


def test_a_folder_of_broken_ones_alone_is_refused(tmp_path):
  saved = save_steps(tmp_path, [9, 10])
  for number in (9, 10):
    (tmp_path / f"ckpt-{number}.index").write_bytes(b"")
  lines = []
  with pytest.raises(ValueError) as error:
    saved.restore_newest(lines.append)
  assert str(error.value) == (
    "model_dir: expected a checkpoint that can be read, or none at all; got"
    f" ckpt-9, ckpt-10 in {tmp_path}, all of them broken. Put a whole one there"
    " or, to start anew, take these away."
  )
  assert len(lines) == 2
  assert saved.steps() == [9, 10]


def test_broken_ones_push_out_none_that_is_whole(tmp_path):
  """They had the highest numbers, and what was saved was removed at once."""
  save_steps(tmp_path, [8, 9, 10, 11, 12], keep=5)
  for number in (10, 11, 12):
    (tmp_path / f"ckpt-{number}.index").write_bytes(b"")
  saved, step = folder(tmp_path)
  assert saved.restore_newest(lambda line: None) == 9
  step.assign(10)
  saved.save(10)
  assert saved.restore_newest(lambda line: None) == 10
  assert tf.train.latest_checkpoint(tmp_path) == saved.prefix(10)
  assert saved.steps() == [9, 10, 11, 12]
  for number in (11, 12, 13):
    step.assign(number)
    saved.save(number)
  assert saved.steps() == [12, 13]


def test_a_folder_passes_over_a_broken_newest_and_says_so(tmp_path, capsys):
  source, target = model(1), model(2)
  saved = checkpoints.CheckpointFolder(
    tmp_path, checkpoints.model_state(source)
  )
  for step in (9, 10):
    saved.save(step)
  data = tmp_path / "ckpt-10.data-00000-of-00001"
  data.write_bytes(data.read_bytes()[:-1])
  loaded = checkpoints.load_checkpoint(target, tmp_path)
  assert loaded == saved.prefix(9)
  said = capsys.readouterr().out
  assert said.startswith(f"Passed over checkpoint {data}: cut short or garbled")
  assert_equal(values(source), values(target))


def test_progress_is_beside_the_state_and_asked_for_by_none(tmp_path):
  source, target = model(1), model(2)
  saved = checkpoints.CheckpointFolder(
    tmp_path, checkpoints.model_state(source)
  )
  progress = {"seconds": np.array(2.5), "sums/a_loss": np.array(1 / 3)}
  saved.save(4, progress)
  assert saved.progress(4) == progress
  saved.save(6)
  assert saved.progress(6) == {}
  again = checkpoints.CheckpointFolder(
    tmp_path, checkpoints.model_state(target)
  )
  checkpoints.load(saved.prefix(4), checkpoints.model_state(target))
  assert again.restore_newest() == 6
  assert checkpoints.load_checkpoint(target, tmp_path, whole=True)


def test_a_checkpoint_without_room_says_where_the_run_would_go_on(tmp_path):
  saved = save_steps(tmp_path, [2])
  (tmp_path / "ckpt-4.data-00000-of-00001").mkdir()
  with pytest.raises(files.NotWrittenError) as error:
    saved.save(4)
  assert str(error.value).startswith(
    f"{saved.prefix(4)}: could not be written: "
  )
  assert str(error.value).endswith(
    f"Once that is mended, the same command goes on from {saved.prefix(2)}."
  )
  assert folder(tmp_path)[0].restore_newest() == 2


def test_what_an_interrupted_writing_left_is_removed(tmp_path):
  save_steps(tmp_path, [2])
  left = tmp_path / "unfinished-ckpt-4.data-00000-of-00001.tempstate17"
  left.touch()
  assert folder(tmp_path)[0].restore_newest() == 2
  assert not left.exists()


def test_an_empty_directory_restores_nothing(tmp_path):
  assert folder(tmp_path / "none")[0].restore_newest() is None


def test_averages_are_loaded_where_there_are_any(tmp_path):
  model = fake.build(fake.experiment()).model
  state = checkpoints.model_state(model)
  averages = {
    checkpoints.EMA + name.removeprefix(checkpoints.MODEL): tf.constant(
      np.full(variable.shape, 7.0, np.float32)
    )
    for name, variable in state.items()
  }
  both, raw = str(tmp_path / "both"), str(tmp_path / "raw")
  checkpoints.save(both, state | averages)
  checkpoints.save(raw, state)
  kernel = model.encoder.kernel
  before = kernel.numpy()
  lines = []
  for path, weights, expected in (
    (both, None, 7.0),
    (both, "raw", before),
    (both, "ema", 7.0),
    (raw, None, before),
    (raw, "raw", before),
  ):
    kernel.assign(np.zeros_like(before))
    checkpoints.load_checkpoint(
      model, path, weights=weights, whole=True, log=lines.append
    )
    np.testing.assert_array_equal(
      kernel.numpy(), np.broadcast_to(expected, before.shape)
    )
  assert lines == ["Averaged weights (EMA); 'raw' has the others."] * 2
  with pytest.raises(ValueError) as error:
    checkpoints.load_checkpoint(model, raw, weights="ema")
  assert str(error.value) == (
    "weights: expected 'raw', or a checkpoint of a run with"
    f" trainer_options.ema_decay; got 'ema', and {raw} has no averages."
  )


def test_a_folder_of_another_host_is_left_alone(tmp_path):
  model = fake.build(fake.experiment()).model
  state = checkpoints.model_state(model)
  folder = str(tmp_path / "run")
  other = checkpoints.CheckpointFolder(folder, state, read_only=True)
  other.save(3)
  assert not (tmp_path / "run").exists()
  checkpoints.CheckpointFolder(folder, state).save(3)
  assert other.restore_newest() == 3
