import functools

from programs import run_program

CONFIG = ("--config_file=max_deeplab_s",)


run = functools.partial(run_program, "trainer/import_checkpoint.py")


def test_flags_are_asked_for():
  done = run(*CONFIG, "--checkpoint_path=zoo.tar.gz")
  assert done.returncode == 1
  assert "--output_path" in done.stderr


def test_a_checkpoint_that_is_not_there_is_told(tmp_path):
  done = run(
    *CONFIG,
    f"--checkpoint_path={tmp_path}/zoo.tar.gz",
    f"--output_path={tmp_path}/out/",
  )
  assert done.returncode == 1
  assert done.stderr.splitlines()[-1] == (
    "checkpoint_path: expected the prefix of a checkpoint, such as "
    "runs/demo/ckpt-1000, a folder of some, or a .tar.gz; got "
    f"{tmp_path}/zoo.tar.gz, where there is none."
  )
  assert not (tmp_path / "out").exists()
