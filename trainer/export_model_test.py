import functools

from programs import run_program

_run = functools.partial(run_program, "trainer/export_model.py")


def test_flags_are_asked_for():
  done = _run("--checkpoint_path=runs/demo")
  assert done.returncode == 1
  assert "--output_path" in done.stderr


def test_names_of_the_original_flags_are_known():
  done = _run("--help")
  assert "--experiment_option_path: Alias for --config_file." in done.stdout


def test_what_is_there_is_not_replaced(tmp_path):
  (tmp_path / "notes.txt").touch()
  done = _run("--checkpoint_path=none", f"--output_path={tmp_path}")
  assert done.returncode == 1
  assert done.stderr.splitlines()[-1] == (
    "output_path: expected a new folder, or a SavedModel to replace; got "
    f"{tmp_path}, which holds something else."
  )


def test_a_checkpoint_that_is_not_there_is_told(tmp_path):
  done = _run(
    f"--checkpoint_path={tmp_path}/ckpt-7", f"--output_path={tmp_path}/out"
  )
  assert done.returncode == 1
  last = done.stderr.splitlines()[-1]
  assert last.startswith("checkpoint: expected the prefix of one")
  assert not (tmp_path / "out").exists()
