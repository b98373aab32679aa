import functools

import numpy as np
from programs import run_program

from deeplab2.training import checkpoint_files

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


def test_an_output_that_is_there_is_told_before_a_model_is_built(tmp_path):
  source = tmp_path / "ckpt-7"  # of nothing that could be built
  checkpoint_files.write(str(source), {"global_step": np.int64(7)})
  (tmp_path / "out").mkdir()
  (tmp_path / "out" / "ckpt-7.index").touch()
  done = run(f"--checkpoint_path={source}", f"--output_path={tmp_path}/out")
  assert done.returncode == 1
  assert done.stderr.splitlines()[-1] == (
    "output_path: expected a new checkpoint, such as imported/ckpt-0; got"
    f" {tmp_path}/out/ckpt-7, which is there already."
  )
