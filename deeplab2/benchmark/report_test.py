import pytest

from deeplab2.benchmark.jobs import Job
from deeplab2.benchmark.report import format_contest, format_results

TIMED = {
  "median": 0.5,
  "quartiles": [0.4, 1.25],
  "images_per_second": 4.0,
  "first_call": 12.0,
  "first_since_start": 20.0,
  "peak_bytes": 3 * 2**30,
  "added_bytes": 2**29,
}
MODEL = {
  "parameters": 12345,
  "multiply_adds": 50 * 10**9,
  "multiply_adds_of_prediction": 25 * 10**9,
  "parts": {
    "encoder": {
      "parameters": 12000,
      "multiply_adds": {"convolution": 20 * 10**9, "einsum": 5 * 10**9},
    },
    "head": {"parameters": 345, "multiply_adds": {"matmul": 25 * 10**9}},
  },
}


def _job(part, **changes):
  return Job(part=part, config_file="a", size=641, batch=2, **changes)


def test_times_are_a_table():
  lines = format_results([(_job("loss", slots=64), TIMED)]).splitlines()
  assert lines[0].split()[1:4] == ["part", "|", "precision"]
  cells = [cell.strip() for cell in lines[2].split("|")[1:-1]]
  assert cells == [
    "loss",
    "float32",
    "graph",
    "641",
    "2",
    "64",
    "500 ms",
    "400 ms .. 1.25 s",
    "4",
    "12 s",
    "20 s",
    "3.00 GiB",
    "0.50 GiB",
  ]


def test_the_model_is_a_table_of_its_parts():
  text = format_results([(_job("model"), MODEL)])
  lines = text.splitlines()
  cells = [cell.strip() for cell in lines[2].split("|")[1:-1]]
  assert cells == ["encoder", "12,000", "20.00", "5.00", "0.00", "25.00"]
  assert lines[5] == (
    "12,345 parameters; at 641 x 641 50.00 G multiply-adds, of which a "
    "prediction needs 25.00 G"
  )


def test_predictions_are_held_to_the_machine():
  machine = {"matmul_flops": 1e12, "copied_bytes": 4e10}
  text = format_results(
    [
      (_job("model"), MODEL),
      (_job("machine"), machine),
      (_job("prediction"), TIMED),
    ]
  )
  # 2 flops a multiply-add, 25 G of them an image, 4 images a second.
  assert "prediction (float32, graph, 641, b2): 200 GFLOP/s, 20%" in text
  assert "1000 GFLOP/s in float32 products of matrices; 40.0 GB/s" in text


def test_operations_are_a_table_with_their_shares():
  seconds = {"convolution": 0.3, "resize": 0.1}
  text = format_results([(_job("operations"), {"operations": seconds})])
  lines = text.splitlines()
  assert lines[0] == "operations (float32, graph, 641, b2):"
  cells = [[c.strip() for c in line.split("|")[1:-1]] for line in lines[4:]]
  assert cells == [
    ["convolution", "300 ms", "75%"],
    ["resize", "100 ms", "25%"],
  ]


def test_what_failed_is_told_with_its_reason():
  text = format_results([(_job("loss"), {"error": "out of memory"})])
  assert text == "loss (float32, graph, 641, b2): out of memory"


def test_both_sides_stand_beside_each_other():
  found = {
    "call": {"ours": 0.5, "theirs": 1.0, "ratio": 2.0},
    "peak_bytes": {"ours": 2**30, "theirs": 2**31, "ratio": 2.0},
  }
  lines = format_contest(_job("loss"), found).splitlines()
  cells = [[c.strip() for c in line.split("|")[4:-1]] for line in lines[2:]]
  assert cells == [
    ["a call", "500 ms", "1 s", "2.00x"],
    ["peak memory", "1.00 GiB", "2.00 GiB", "2.00x"],
  ]
  assert format_contest(_job("loss"), {"error": "killed"}) == (
    "loss (float32, graph, 641, b2): killed"
  )


@pytest.mark.parametrize(
  "seconds, time, images_per_second",
  [
    (0.0001234, "0.123 ms", "8104"),
    (0.12345, "123 ms", "8.1"),
    (0.9994, "999 ms", "1"),
    (0.9996, "1 s", "1"),
    (1234.5, "1234 s", "0.00081"),
  ],
)
def test_figures_are_read_at_a_glance(seconds, time, images_per_second):
  result = TIMED | {"median": seconds, "images_per_second": 1 / seconds}
  row = format_results([(_job("loss"), result)]).splitlines()[2]
  cells = [cell.strip() for cell in row.split("|")[1:-1]]
  assert cells[6] == time
  assert cells[8] == images_per_second
