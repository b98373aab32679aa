"""Tests of counting bad records."""

import concurrent.futures

import pytest

from deeplab2.input.bad_records import BadRecords, TooManyBadRecordsError


def test_each_is_counted_and_told_once():
  told = []
  bad = BadRecords(2, report=lambda *said: told.append(said))
  for where in ("a, record 0", "b, record 7", "a, record 0"):
    bad.add(where, "the checksum does not agree.")
  assert bad.count == 2
  assert told == [
    ("a, record 0", "the checksum does not agree."),
    ("b, record 7", "the checksum does not agree."),
  ]


def test_one_too_many_is_an_error_from_then_on():
  bad = BadRecords(1, "train_dataset_options.max_bad_records")
  bad.add("a, record 0", "cut short.")
  for again in ("a, record 5", "a, record 0"):
    with pytest.raises(TooManyBadRecordsError) as error:
      bad.add(again, "no image.")
    assert str(error.value) == (
      "train_dataset_options.max_bad_records: expected at most 1 bad records; "
      "got 2:\n"
      "  a, record 0: cut short.\n"
      "  a, record 5: no image.\n"
      "data/inspect_tfrecords.py --check lists all that are bad; a larger "
      "max_bad_records passes over them."
    )


def test_without_a_limit_the_first_one_is_an_error():
  with pytest.raises(TooManyBadRecordsError):
    BadRecords().add("a, record 0", "cut short.")


def test_threads_count_what_one_would():
  told = []
  bad = BadRecords(50, report=lambda where, problem: told.append(where))
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    list(pool.map(lambda i: bad.add(f"a, record {i % 50}", "bad"), range(2000)))
  assert bad.count == len(told) == len(set(told)) == 50
