"""`tf.train.Example` in protobuf's wire format, without TensorFlow.

Converters start many processes, and loading TensorFlow in each would take
longer than the conversion of a small dataset. The message in full:

    Example  { 1: Features { 1: map<string, Feature> } }
    Feature  { 1: BytesList { 1: bytes } }
          or { 3: Int64List { 1: packed int64 } }
"""

from collections.abc import Mapping

_LENGTH_DELIMITED = 2


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
