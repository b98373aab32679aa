"""`tf.train.Example` in protobuf's wire format, without TensorFlow.

Converters and checkers start many processes, and loading TensorFlow in each
would take longer than the work on a small dataset. The message in full:

    Example  { 1: Features { 1: map<string, Feature> } }
    Feature  { 1: BytesList { 1: bytes } }
          or { 2: FloatList } or { 3: Int64List { 1: packed int64 } }
"""

from collections.abc import Iterator, Mapping

_VARINT = 0
_LENGTH_DELIMITED = 2
_FIXED_SIZES = {1: 8, 5: 4}  # wire type -> bytes


def serialize_example(features: Mapping[str, bytes | int]) -> bytes:
  """Features of one value each, sorted by name, so equal maps give equal bytes.

  Args:
    features: bytes, or an integer of 0 or more.
  """
  entries = (
    _field(1, _field(1, name.encode()) + _field(2, _feature(features[name])))
    for name in sorted(features)
  )
  return _field(1, b"".join(entries))


def read_example(data: bytes) -> dict[str, bytes | int]:
  """The first value of each feature; floats and empty features are left out.

  Raises:
    ValueError: the bytes are no such message.
  """
  features = {}
  for message in _submessages(memoryview(data), 1):
    for entry in _submessages(message, 1):
      names = list(_submessages(entry, 1))
      values = [
        value
        for feature in _submessages(entry, 2)
        for value in _feature_values(feature)
      ]
      if names and values:
        features[bytes(names[-1]).decode()] = values[0]
  return features


def _feature(value: bytes | int) -> bytes:
  if isinstance(value, bytes):
    return _field(1, _field(1, value))
  return _field(3, _field(1, _varint(value)))


def _field(number: int, payload: bytes) -> bytes:
  key = number << 3 | _LENGTH_DELIMITED
  return _varint(key) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
  """Seven bits a byte, lowest first; the top bit says that more follow."""
  if value < 0:
    raise ValueError(f"features: expected integers of 0 or more; got {value}.")
  data = bytearray()
  while value > 0x7F:
    data.append(value & 0x7F | 0x80)
    value >>= 7
  data.append(value)
  return bytes(data)


def _feature_values(feature: memoryview) -> Iterator[bytes | int]:
  for values in _submessages(feature, 1):
    yield from (bytes(value) for value in _submessages(values, 1))
  for values in _submessages(feature, 3):
    for _, value in _fields(values):
      if isinstance(value, int):
        yield value
      elif len(value):
        yield _read_varint(value, 0)[0]


def _submessages(data: memoryview, number: int) -> Iterator[memoryview]:
  for found, value in _fields(data):
    if found == number and isinstance(value, memoryview):
      yield value


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview | int]]:
  """(field number, value): an integer, or the bytes of a longer field."""
  place = 0
  while place < len(data):
    key, place = _read_varint(data, place)
    kind = key & 7
    if kind == _VARINT:
      value, place = _read_varint(data, place)
    else:
      length = _FIXED_SIZES.get(kind)
      if kind == _LENGTH_DELIMITED:
        length, place = _read_varint(data, place)
      if length is None or place + length > len(data):
        raise ValueError(f"not a tf.train.Example: broken at byte {place}.")
      value, place = data[place : place + length], place + length
    yield key >> 3, value


def _read_varint(data: memoryview, place: int) -> tuple[int, int]:
  value = 0
  for shift in range(0, 70, 7):
    if place >= len(data):
      break
    byte = data[place]
    place += 1
    value |= (byte & 0x7F) << shift
    if byte < 0x80:
      return value, place
  raise ValueError(f"not a tf.train.Example: broken at byte {place}.")
