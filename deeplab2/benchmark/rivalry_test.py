import json
import os
import shlex
import sys

import pytest

from deeplab2.benchmark.jobs import Job
from deeplab2.benchmark.processes import Run, run_program
from deeplab2.benchmark.rivalry import Contest, compete, fill_command
from deeplab2.cpu_kernels import VARIABLE

JOB = Job(part="matching", config_file="a", size=65, batch=3, repeats=2)


def _run(calls=(), status=0, **changes) -> Run:
  output = json.dumps({"seconds": list(calls)}) if calls else "done"
  run = Run(status, output, "", seconds=4.0, peak_bytes=100)
  return run._replace(**changes)


def test_both_run_in_turn(tmp_path):
  log = tmp_path / "log"

  def ours(job, timeout):
    with log.open("a") as file:
      file.write(f"A{job.batch}")
    return _run([1.0])

  code = f"open({str(log)!r}, 'a').write('B')"
  command = f'{sys.executable} -c "{code}" {{size}}'
  contest = compete(JOB, command, 3, 60, ours)
  assert log.read_text() == "A3BA3BA3B"
  assert len(contest.ours) == len(contest.theirs) == 3


def test_the_other_program_has_the_environment_of_the_user(tmp_path):
  """What we choose for our own TensorFlow does not reach it."""
  log = tmp_path / "log"
  code = (
    "import os; "
    f"open({str(log)!r}, 'w').write(str(os.environ.get({VARIABLE!r})))"
  )
  outer = (
    "from deeplab2.benchmark.rivalry import compete; "
    "from deeplab2.benchmark import rivalry_test as t; "
    f"compete(t.JOB, {shlex.join([sys.executable, '-c', code])!r}, 1, 60, "
    "lambda job, timeout: t._run())"
  )
  for chosen in (None, "0"):
    environment = dict(os.environ)
    environment.pop(VARIABLE, None)
    if chosen is not None:
      environment[VARIABLE] = chosen
    run = run_program([sys.executable, "-c", outer], 60, environment)
    assert run.status == 0, run.errors
    assert log.read_text() == str(chosen)


def test_ratios_are_theirs_over_ours():
  found = Contest(
    JOB,
    (_run([1.0, 2.0]), _run([3.0], peak_bytes=300)),
    (_run([4.0], seconds=12.0), _run([6.0, 5.0], seconds=8.0)),
  ).to_dict()
  assert found["call"]["ours"] == 2.0
  assert found["call"]["theirs"] == 5.0
  assert found["call"]["ratio"] == 2.5
  assert found["process"]["ratio"] == 10 / 4
  assert found["peak_bytes"]["ratio"] == 100 / 200


def test_what_both_say_of_themselves_is_compared():
  say = lambda **figures: _run(output=json.dumps({"seconds": [1.0], **figures}))
  found = Contest(
    JOB,
    (say(first_call=2.0, added_bytes=10),),
    (say(first_call=6.0),),
  ).to_dict()
  assert found["first_call"]["ratio"] == 3.0
  assert "added_bytes" not in found


def test_a_rival_that_says_nothing_is_seen_from_outside():
  found = Contest(JOB, (_run([1.0]),), (_run(),)).to_dict()
  assert set(found) == {"process", "peak_bytes"}


def test_a_failure_leaves_no_ratio():
  failed = _run(status=1, errors="out of memory")
  found = Contest(JOB, (_run([1.0]),), (failed,)).to_dict()
  assert found == {"error": "ended with status 1: out of memory"}


def test_a_command_is_told_what_to_do():
  command = "peer '--json={\"a\": {size}}' {part} {batch} {repeats} {nothing}"
  assert fill_command(command, JOB) == [
    "peer",
    '--json={"a": 65}',
    "matching",
    "3",
    "2",
    "{nothing}",
  ]
  with pytest.raises(ValueError) as caught:
    fill_command(" ", JOB)
  assert str(caught.value) == ("against: expected a command; got an empty one.")
