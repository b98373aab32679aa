import functools

from programs import run_program

run = functools.partial(run_program, "trainer/export_checkpoint.py")


def test_flags_are_asked_for():
  done = run("--checkpoint_path=runs/demo")
  assert done.returncode == 1
  assert "--output_path" in done.stderr


def test_a_checkpoint_that_is_not_there_is_told(tmp_path):
  done = run(
    f"--checkpoint_path={tmp_path}/ckpt-7", f"--output_path={tmp_path}/out/"
  )
  assert done.returncode == 1
  last = done.stderr.splitlines()[-1]
  assert last.startswith("checkpoint_path: expected the prefix of a checkpoint")
  assert not (tmp_path / "out").exists()
