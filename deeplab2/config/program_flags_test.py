import pathlib
import subprocess
import sys

PROGRAM = """
from absl import app
from deeplab2.config import program_flags
program_flags.define_experiment_flags()
def main(_):
  experiment = program_flags.experiment_from_flags(search_files=False)
  print(experiment.trainer_options.seed, experiment.experiment_name)
app.run(main)
"""


def run(tmp_path, *arguments):
  program = tmp_path / "program.py"
  program.write_text(PROGRAM)
  root = pathlib.Path(__file__).parents[2]
  return subprocess.run(
    [sys.executable, str(program), *arguments],
    cwd=tmp_path,
    env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
    capture_output=True,
    text=True,
    check=False,
  )


def test_flags_make_an_experiment(tmp_path):
  done = run(
    tmp_path,
    "--config_file=max_deeplab_s.textproto",
    "--set=trainer_options.seed=7",
    "--set",
    "EXPERIMENT_NAME=mine",
  )
  assert done.stdout == "7 mine\n", done.stderr


def test_a_wrong_config_ends_the_program_with_one_line(tmp_path):
  done = run(
    tmp_path, "--config_file=max_deeplab_s", "--set=trainer_options.seed=-1"
  )
  assert done.returncode == 1
  assert done.stdout == ""
  assert done.stderr == (
    "error: trainer_options.seed: expected 0 or more; got -1.\n"
  )


def test_a_config_has_to_be_named(tmp_path):
  done = run(tmp_path)
  assert done.returncode != 0
  assert "--config_file" in done.stderr
