import os

import numpy as np
import pytest

from deeplab2.datasets import record_scan
from deeplab2.datasets.record_index import frame_record
from deeplab2.datasets.record_scan import Span, scan_records

DATA = [b"one", bytes(100), b"", b"\0\0\0\0four", b"five" * 50]
FRAMES = [frame_record(data) for data in DATA]


def _scan(tmp_path, content: bytes) -> list[Span]:
  path = tmp_path / "a.tfrecord"
  path.write_bytes(content)
  return list(scan_records(str(path)))


def _data(content: bytes, spans: list[Span]) -> list[bytes]:
  return [
    content[s.offset : s.offset + s.length] for s in spans if not s.problem
  ]


def test_finds_the_data_of_every_record(tmp_path):
  content = b"".join(FRAMES)
  assert _data(content, _scan(tmp_path, content)) == DATA
  assert _scan(tmp_path, b"") == []


@pytest.mark.parametrize("broken", range(len(FRAMES)))
@pytest.mark.parametrize("byte", [0, 7, 8])
def test_a_wrong_header_hides_its_own_record_only(tmp_path, broken, byte):
  frames = [bytearray(frame) for frame in FRAMES]
  frames[broken][byte] ^= 2
  content = b"".join(frames)
  spans = _scan(tmp_path, content)
  # An empty record looks like nothing in particular, and goes with it.
  lost = {broken, 2} if broken == 1 else {broken}
  expected = [data for i, data in enumerate(DATA) if i not in lost]
  assert _data(content, spans) == expected
  (damaged,) = [span for span in spans if span.problem]
  start = sum(map(len, FRAMES[:broken]))
  assert damaged.offset == start
  assert damaged.length == sum(len(FRAMES[i]) for i in lost)
  assert damaged.problem == (
    "not a TFRecord file, or damaged: the checksum of the header at byte "
    f"{start} does not agree."
  )


def test_bytes_that_went_missing_cost_the_records_around_them(tmp_path):
  content = b"".join(FRAMES[:4]) + FRAMES[4] * 3
  start = len(FRAMES[0]) + 20
  content = content[:start] + content[start + 5 :]
  spans = _scan(tmp_path, content)
  assert _data(content, spans)[-4:] == [DATA[3], *[DATA[4]] * 3]
  assert sum(span.problem is not None for span in spans) == 1


@pytest.mark.parametrize("chunk", [13, 64, 1000])
def test_the_search_goes_on_from_chunk_to_chunk(tmp_path, monkeypatch, chunk):
  monkeypatch.setattr(record_scan, "_CHUNK", chunk)
  noise = np.random.default_rng(0).bytes(997)
  content = noise + FRAMES[4]
  damaged, found = _scan(tmp_path, content)
  assert damaged.length == len(noise)
  assert content[found.offset : found.offset + found.length] == DATA[4]


def test_a_file_that_cannot_be_read_is_named(tmp_path):
  with pytest.raises(ValueError) as caught:
    list(scan_records(str(tmp_path)))
  assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory."


def test_a_pipe_is_named_and_not_waited_for(tmp_path):
  pipe = str(tmp_path / "pipe")
  os.mkfifo(pipe)
  with pytest.raises(ValueError) as caught:
    list(scan_records(pipe))
  assert (
    str(caught.value) == f"{pipe}: expected a file; got a pipe or a device."
  )
