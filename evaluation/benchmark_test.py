import json
import os
import subprocess
import sys

import pytest

from deeplab2.benchmark.conftest import CONFIG, OVERRIDES

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMMAND = [sys.executable, os.path.join(ROOT, "evaluation", "benchmark.py")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": ROOT}
MODEL = [f"--config_file={CONFIG}", *(f"--set={o}" for o in OVERRIDES)]


def _run(*flags, config=MODEL):
  return subprocess.run(
    [*COMMAND, *config, *flags],
    capture_output=True,
    text=True,
    check=False,
    env=ENVIRONMENT,
  )


def test_figures_come_as_a_table_and_as_json(tmp_path):
  path = tmp_path / "figures.json"
  run = _run(
    "--parts=matching", "--size=33", "--repeats=3", f"--output_json={path}"
  )
  assert run.returncode == 0, run.stderr
  assert "| matching | float32" in run.stdout
  found = json.loads(path.read_text())
  assert found["machine"]["cores"] >= 1
  (entry,) = found["results"]
  assert entry["job"]["size"] == 33
  assert len(entry["result"]["seconds"]) == 3


def test_a_page_can_be_filled_and_growth_be_drawn(tmp_path):
  page, picture = tmp_path / "page.md", tmp_path / "growth.png"
  page.write_text("<!-- figures: a -->\n<!-- end -->\n")
  run = _run(
    "--parts=matching",
    "--size=33",
    "--batch=1,2",
    "--repeats=1",
    f"--page={page}",
    "--page_block=a",
    f"--picture={picture}",
  )
  assert run.returncode == 0, run.stderr
  assert page.read_text().count("| matching |") == 2
  assert picture.stat().st_size > 0


def test_another_program_may_stand_beside(tmp_path):
  path = tmp_path / "figures.json"
  peer = tmp_path / "peer.py"
  peer.write_text(
    "import sys\nassert sys.argv[1:] == ['matching', '33']\n"
    "print('{\"seconds\": [1000.0, 3000.0]}')"
  )
  run = _run(
    "--parts=matching",
    "--size=33",
    "--rounds=1",
    f"--against={sys.executable} {peer} {{part}} {{size}}",
    f"--output_json={path}",
  )
  assert run.returncode == 0, run.stderr
  assert "| a call" in run.stdout
  result = json.loads(path.read_text())["results"][0]["result"]
  assert result["call"]["theirs"] == 2000.0
  assert result["call"]["ratio"] == 2000.0 / result["call"]["ours"]


@pytest.mark.parametrize(
  ("flags", "error"),
  [
    (["--size=640"], "error: size: expected 16*k + 1, such as 641; got 640."),
    (["--size=big"], "error: size: expected whole numbers, such as 321,641"),
    (["--page=/no/page.md"], "error: page: expected a file; got /no/page.md."),
    (["--parts=sleep"], "error: parts: expected one of model, machine, oper"),
    (["--modes=eager"], "error: mode: expected one of graph, xla; got 'eager'"),
    (["--precisions=half"], "error: precision: expected one of float32, mix"),
    (["--repeats=0"], "error: repeats: expected 1 or more; got 0."),
    (["--set=SEED=1"], "error: SEED: expected a field"),
    (["--output_json=/no/where.json"], "error: output_json: expected a path"),
    (
      ["--size=33,65", "--picture=a.png", "--against=true"],
      "error: picture: expected none with --against; got a.png.",
    ),
    (["--parts=model", "--size=33,65", "--picture=a.png"], "error: picture: e"),
    (["--slots=many"], "error: slots: expected whole numbers, such as"),
    (["--picture=a.png"], "error: picture: expected several values of one"),
    (["--picture=/no/a.png"], "error: picture: expected a path in an exist"),
    (["--parts=input"], "train_dataset_options.file_pattern"),
    (["--against= "], "error: against: expected a command; got an empty one."),
    (["--parts=model", "--against=true"], "error: parts: expected some of net"),
    (["stray"], "expected flags only; got ['stray']."),
  ],
)
def test_wrong_flags_end_with_a_sentence(flags, error):
  run = _run(*flags)
  assert run.returncode != 0
  assert error in run.stderr + run.stdout
  assert "Traceback" not in run.stderr


def test_help_loads_no_tensorflow():
  command = [sys.executable, "-X", "importtime", *COMMAND[1:], "--help"]
  run = subprocess.run(
    command, capture_output=True, text=True, check=False, env=ENVIRONMENT
  )
  assert "--against" in run.stdout
  assert "deeplab2.config" in run.stderr
  assert "tensorflow" not in run.stderr
  assert "numpy" not in run.stderr
