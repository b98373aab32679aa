import pytest

from deeplab2.config import config_pb2
from deeplab2.config.textproto import format_textproto, parse_textproto


def write(tmp_path, text):
  path = tmp_path / "some.textproto"
  path.write_text(text)
  return path


def test_a_file_without_a_header_is_an_experiment(tmp_path):
  path = write(tmp_path, 'experiment_name: "a"')
  assert parse_textproto(path) == config_pb2.ExperimentOptions(
    experiment_name="a"
  )


@pytest.mark.parametrize("name", ["ModelOptions", "deeplab2.ModelOptions"])
def test_the_header_names_the_message(tmp_path, name):
  header = f"# proto-file: deeplab2/model.proto\n# proto-message: {name}\n#\n"
  path = write(tmp_path, header + 'backbone { name: "b" }')
  message = parse_textproto(path)
  assert isinstance(message, config_pb2.ModelOptions)
  assert message.backbone.name == "b"


def test_only_comments_before_the_first_field_are_a_header(tmp_path):
  text = 'experiment_name: "a"\n# proto-message: ModelOptions\n'
  message = parse_textproto(write(tmp_path, text))
  assert isinstance(message, config_pb2.ExperimentOptions)


def test_an_unknown_message_is_named_with_the_choices(tmp_path):
  path = write(tmp_path, "# proto-message: SolverOption\n")
  with pytest.raises(ValueError) as error:
    parse_textproto(path)
  assert str(error.value) == (
    f"{path}: expected a proto-message of ExperimentOptions, ModelOptions, "
    "TrainerOptions, DatasetOptions, EvaluatorOptions; got SolverOption."
  )


def test_an_unknown_field_is_found_by_line_and_column(tmp_path):
  path = write(tmp_path, "\ntrainer_options { sed: 1 }")
  with pytest.raises(ValueError, match=r"some\.textproto:2:19.*sed"):
    parse_textproto(path)


def test_the_field_that_one_config_of_the_original_has_beyond_its_schema(
  tmp_path,
):
  text = "model_options { max_deeplab {"
  text += " transformer_decoder_drop_path_keep_prob: 0.5 } }"
  message = parse_textproto(write(tmp_path, text))
  options = message.model_options.max_deeplab
  assert options.transformer_decoder_drop_path_keep_prob == 0.5


def test_formatted_text_parses_to_the_same_message(tmp_path):
  message = config_pb2.ModelOptions(initial_checkpoint='a "b"\n')
  message.backbone.drop_path_keep_prob = 0.1
  path = write(tmp_path, format_textproto(message))
  assert parse_textproto(path) == message
