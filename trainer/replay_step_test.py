import functools

from programs import run_program

run = functools.partial(run_program, "trainer/replay_step.py")


def test_a_forgotten_folder_is_named():
  done = run()
  assert done.returncode != 0
  assert "step_dir" in done.stderr + done.stdout


def test_a_folder_without_a_step_is_told(tmp_path):
  done = run(f"--step_dir={tmp_path}")
  assert done.returncode == 1
  assert done.stderr.splitlines()[-1].startswith(
    "step_dir: expected a folder nonfinite-step-<step> that a run left"
  )
