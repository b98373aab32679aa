import json

import pytest

from deeplab2.training.bad_record_list import NAME, BadRecordList


def test_the_next_start_finds_what_was_added(tmp_path):
  first = BadRecordList(str(tmp_path))
  assert first.read() == ()
  first.add("a, record 3", "cut short.")
  first.add("b, record 0", "no image.")
  assert json.loads((tmp_path / NAME).read_text()) == {
    "a, record 3": "cut short.",
    "b, record 0": "no image.",
  }
  second = BadRecordList(str(tmp_path))
  assert second.read() == ("a, record 3", "b, record 0")
  second.add("b, record 0", "no image.")  # a, record 3 was mended
  assert BadRecordList(str(tmp_path)).read() == ("b, record 0",)


@pytest.mark.parametrize("content", ["[1, 2]", '{"a, rec', "\xff"])
def test_a_broken_list_is_passed_over_with_a_line(tmp_path, content):
  (tmp_path / NAME).write_text(content, encoding="latin-1")
  lines = []
  assert BadRecordList(str(tmp_path), lines.append).read() == ()
  assert len(lines) == 1
  assert lines[0].startswith(f"Passed over {tmp_path / NAME}: ")


def test_a_list_that_cannot_be_written_stops_nobody(tmp_path):
  (tmp_path / "file").write_text("")
  lines = []
  BadRecordList(str(tmp_path / "file"), lines.append).add("a, record 3", "bad.")
  path = tmp_path / "file" / NAME
  assert lines == [f"{path}: could not be written: Not a directory."]
