import json

import pytest

from deeplab2.benchmark.conftest import small_job
from deeplab2.benchmark.worker import main, measure, seconds_since_start


def test_calls_are_measured():
  found = measure(small_job("matching", batch=3))
  low, high = found["quartiles"]
  assert len(found["seconds"]) == 2
  assert low <= found["median"] <= high
  assert found["images_per_second"] == 3 / found["median"]
  assert found["first_since_start"] > found["first_call"] > 0
  assert found["peak_bytes"] > found["added_bytes"]


def test_the_clock_begins_with_the_process():
  first = seconds_since_start()
  assert 0 < first < seconds_since_start() + 0.1


def test_a_config_that_does_not_allow_it_is_told(capsys):
  job = small_job("input")
  main([job.to_json()])
  error = json.loads(capsys.readouterr().out)["error"]
  assert "train_dataset_options.file_pattern" in error


def test_arguments_are_one_job():
  with pytest.raises(ValueError, match="unpack"):
    main([])
