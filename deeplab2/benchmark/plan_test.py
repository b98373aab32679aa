import pytest

from deeplab2.benchmark.plan import Choice, plan_jobs

BOTH = {
  "sizes": (33, 65),
  "batches": (1, 2, 4),
  "slots": (16, 32, 64),
  "precisions": ("float32", "mixed_bfloat16"),
  "modes": ("graph", "xla"),
}


def _plan(*parts, **changes):
  choice = Choice(parts=parts, **BOTH | changes)
  return plan_jobs("config", ("a.b=c",), choice)


@pytest.mark.parametrize(
  ("part", "number"),
  [("loss", 72), ("input", 6), ("quality", 6), ("model", 6), ("machine", 2)],
)
def test_a_part_is_measured_where_it_differs(part, number):
  jobs = _plan(part)
  assert len(jobs) == number
  assert len({job.to_json() for job in jobs}) == number


def test_parts_come_in_their_order():
  parts = [job.part for job in _plan("loss", "model", sizes=(33,))]
  assert parts == ["loss"] * 36 + ["model"] * 3


def test_jobs_know_their_config():
  (job,) = _plan("model", sizes=(33,), slots=(None,), repeats=3)
  assert (job.config_file, job.overrides) == ("config", ("a.b=c",))
  assert job.repeats == 3


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"sizes": ()}, "sizes: expected one at least; got none."),
    ({"modes": ()}, "modes: expected one at least; got none."),
    ({"sizes": (33, 64)}, "size: expected 16*k + 1, such as 641; got 64."),
  ],
)
def test_wrong_choices_are_named(changes, message):
  with pytest.raises(ValueError) as caught:
    _plan("loss", **changes)
  assert str(caught.value) == message
