import ast
import sys

import pytest

from deeplab2.benchmark.processes import run_program

MEGABYTE = 2**20


def _python(code, timeout=60):
  return run_program([sys.executable, "-c", code], timeout)


def test_the_last_line_is_the_result():
  run = _python("print('hello'); print('{\"seconds\": [1, 2]}')")
  assert run.status == 0
  assert run.result() == {"seconds": [1, 2]}
  assert run.output.startswith("hello\n")


@pytest.mark.parametrize("line", ["", "done", "[1]", "3"])
def test_a_program_may_say_nothing_of_itself(line):
  assert _python(f"print('{line}')").result() == {}


def test_time_and_memory_are_those_of_the_program():
  code = f"import time; x = b'1' * {200 * MEGABYTE}; time.sleep(0.3)"
  # From a small process, as a program starts with the peak of its caller.
  outer = (
    "import sys; from deeplab2.benchmark.processes import run_program; "
    f"print(run_program([sys.executable, '-c', {code!r}], 60)[3:])"
  )
  seconds, peak = ast.literal_eval(_python(outer).output)
  assert seconds > 0.3
  assert 200 * MEGABYTE < peak < 300 * MEGABYTE


def test_a_failure_is_told_in_the_programs_words():
  run = _python("import sys; sys.exit('no such thing')")
  assert run.result() == {"error": "ended with status 1: no such thing"}


def test_time_is_limited():
  run = _python("import time; time.sleep(600)", timeout=0.5)
  assert run.status == -9
  assert run.seconds < 60


def test_missing_programs_are_named():
  with pytest.raises(ValueError) as caught:
    run_program(["no-such-program"], 1)
  assert str(caught.value) == (
    "command: expected a program; got 'no-such-program': No such file or "
    "directory."
  )
