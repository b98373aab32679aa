import pytest

from deeplab2.config import config_pb2, fields
from deeplab2.config.proto_text import FILES, read_proto

HOW_TO_COMPILE = "The _pb2 files are behind the .proto files: run make protos."


def all_messages():
  return {m.name: m for name in FILES for m in read_proto(name)}


def descriptors(parents=None):
  """Every message of the compiled files by its name within the package."""
  found = {}
  for name in FILES:
    module = __import__(f"deeplab2.config.{name}_pb2", fromlist=["DESCRIPTOR"])
    pending = list(module.DESCRIPTOR.message_types_by_name.values())
    while pending:
      message = pending.pop()
      found[message.full_name.removeprefix("deeplab2.config.")] = message
      pending += message.nested_types
  return found


def compiled_default(field):
  if not field.has_default_value:
    return None
  value = field.default_value
  return str(value).lower() if isinstance(value, bool) else value


def compiled_type(field):
  if fields.is_message(field):
    return field.message_type.name
  names = {
    fields.Field.TYPE_INT32: "int32",
    fields.Field.TYPE_FLOAT: "float",
    fields.Field.TYPE_BOOL: "bool",
    fields.Field.TYPE_STRING: "string",
  }
  return names[field.type]


def same_default(written, compiled):
  if isinstance(compiled, float | int):
    return written is not None and float(written) == pytest.approx(compiled)
  return written == compiled


def test_compiled_messages_are_those_of_the_proto_files():
  assert set(all_messages()) == set(descriptors()), HOW_TO_COMPILE


@pytest.mark.parametrize("name", sorted(all_messages()))
def test_compiled_fields_are_those_of_the_proto_files(name):
  written = {field.name: field for field in all_messages()[name].fields}
  compiled = descriptors()[name].fields_by_name
  assert set(written) == set(compiled), HOW_TO_COMPILE
  for field in written.values():
    other = compiled[field.name]
    oneof = other.containing_oneof and other.containing_oneof.name
    assert field.number == other.number, HOW_TO_COMPILE
    assert field.type == compiled_type(other), HOW_TO_COMPILE
    assert field.repeated == fields.is_repeated(other), HOW_TO_COMPILE
    assert field.oneof == oneof, HOW_TO_COMPILE
    assert same_default(field.default, compiled_default(other)), HOW_TO_COMPILE


def test_every_message_and_field_is_explained():
  for message in all_messages().values():
    assert message.comment, message.name
    for field in message.fields:
      assert field.comment, f"{message.name}.{field.name}"


def test_compiled_files_do_not_ask_for_a_version_of_protobuf():
  for name in FILES:
    module = __import__(f"deeplab2.config.{name}_pb2", fromlist=["DESCRIPTOR"])
    with open(module.__file__, encoding="utf-8") as file:
      assert "runtime_version" not in file.read()


def test_our_package_is_not_the_original_librarys():
  assert config_pb2.DESCRIPTOR.package == "deeplab2.config"
  assert config_pb2.DESCRIPTOR.name == "deeplab2/config/config.proto"
