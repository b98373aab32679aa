import pytest
from PIL import Image

from deeplab2.benchmark.growth import check_varied, plot_growth
from deeplab2.benchmark.jobs import Job


def _job(part="loss", **changes):
  return Job(**{"part": part, "config_file": "a", "size": 33, **changes})


def _result(seconds, megabytes=1.0):
  return {"median": seconds, "added_bytes": megabytes * 1e6}


@pytest.mark.parametrize(
  ("jobs", "varied"),
  [
    ([_job(size=33), _job(size=65), _job("matching", size=65)], "size"),
    ([_job(batch=1), _job(batch=3)], "batch"),
    ([_job(slots=16), _job(slots=64)], "slots"),
  ],
)
def test_what_is_varied_is_found(jobs, varied):
  assert check_varied(jobs) == varied


@pytest.mark.parametrize(
  ("jobs", "found"),
  [
    ([_job()], "none"),
    ([_job(size=33), _job(size=65, batch=2)], r"\['size', 'batch'\]"),
  ],
)
def test_one_quantity_is_varied(jobs, found):
  with pytest.raises(ValueError, match=f"--size=129,321,641; got .* {found}"):
    check_varied(jobs)


def test_every_part_has_its_line(tmp_path):
  """A picture of more than paper: each part's colour is in it."""
  path = tmp_path / "growth.png"
  results = [
    (_job(part, size=size), _result(size * factor))
    for part, factor in (("loss", 1.0), ("matching", 7.0))
    for size in (33, 65, 129)
  ]
  plot_growth([*results, (_job("model"), {"parameters": 3})], str(path))
  with Image.open(path) as image:
    colors = {color for _, color in image.convert("RGB").getcolors(10**6)}
  assert {(0x25, 0x63, 0xA8), (0xD1, 0x66, 0x2A)} <= colors


def test_nothing_timed_is_told(tmp_path):
  with pytest.raises(ValueError, match="parts that are timed; got none"):
    plot_growth([(_job(), {"error": "no memory"})], str(tmp_path / "a.png"))
