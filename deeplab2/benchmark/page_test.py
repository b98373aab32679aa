import pytest

from deeplab2.benchmark.page import check_page, fill_page, machine

PAGE = """# Costs

<!-- figures: one -->
old
<!-- end -->

Between.

<!-- figures: two -->
<!-- end -->
"""


@pytest.fixture
def page(tmp_path):
  path = tmp_path / "page.md"
  path.write_text(PAGE)
  return path


def test_a_block_is_replaced_and_all_else_stays(page):
  fill_page(str(page), "one", "| 1 s |")
  text = page.read_text()
  assert "old" not in text
  assert "| 1 s |\n\nMeasured on " in text
  assert text.startswith("# Costs\n\n<!-- figures: one -->\n\n| 1 s |")
  assert text.endswith(PAGE[PAGE.index("<!-- end -->") :])


def test_filling_again_leaves_the_last_figures(page):
  for figures in ("first", "second"):
    fill_page(str(page), "two", figures)
  text = page.read_text()
  assert "first" not in text
  assert text.count("second") == 1
  assert "old" in text


@pytest.mark.parametrize("block", ["three", None])
def test_blocks_that_are_not_there_are_named(page, block):
  with pytest.raises(ValueError) as caught:
    check_page(str(page), block)
  assert str(caught.value) == (
    f"page_block: expected one of ['one', 'two'], which {page} has once and "
    f"with an end; got {block!r}."
  )


def test_pages_that_are_not_there_are_named():
  with pytest.raises(ValueError) as caught:
    check_page("/no/page.md", "one")
  assert str(caught.value) == "page: expected a file; got /no/page.md."


def test_the_machine_is_described():
  assert machine().startswith("Measured on ")
  assert "cores" in machine()
