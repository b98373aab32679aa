import pathlib

from deeplab2.config.reference import reference_page

PAGE = pathlib.Path(__file__).parents[2] / "g3doc" / "config_reference.md"


def test_the_page_is_current():
  assert PAGE.read_text("utf-8") == reference_page(), "Run make docs."


def test_a_field_has_type_default_meaning_and_rule():
  page = " ".join(reference_page().split())
  assert (
    '- `optimizer` (string, default `adam`): "adam", "adamw" or "sgd" (with '
    "momentum 0.9). Expected: one of 'adam', 'adamw', 'sgd'."
  ) in page


def test_a_field_without_effect_says_so():
  page = " ".join(reference_page().split())
  assert (
    "MaX-DeepLab: leave unset, MaX-DeepLab has no instance centres." in page
  )


def test_no_line_of_prose_is_longer_than_the_others():
  assert max(map(len, reference_page().splitlines())) <= 80
