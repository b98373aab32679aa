import pytest

from deeplab2.interop.import_plan import (
  AS_ASKED,
  NEW_CLASSES,
  NOT_PRETRAINED,
  ClassRows,
  Exceptions,
  Misfit,
  ModelLayout,
  plan_import,
)
from deeplab2.interop.key_layouts import OURS

SHAPES = {
  "encoder/stem/kernel": (3, 5),
  "encoder/extra/kernel": (5, 5),
  "head/kernel": (5, 7),
  "head/bias": (7,),
}
MODEL = ModelLayout(
  shapes=SHAPES,
  backbone=frozenset({"encoder/stem/kernel"}),
  class_paths=frozenset({"head/kernel", "head/bias"}),
)
FILE = {f"model/{path}": shape for path, shape in SHAPES.items()}


def fates(plan):
  """Every path in the one place where it is."""
  where = {}
  for kind in ("assigned", "afresh", "missing", "misshapen"):
    for path in getattr(plan, kind):
      assert path not in where
      where[path] = kind
  return where


def test_all_that_fits_is_assigned():
  plan = plan_import(MODEL, FILE | {"global_step": ()})
  assert plan.layout is OURS
  assert plan.assigned == {path: f"model/{path}" for path in SHAPES}
  assert plan.beside == ("global_step",)
  assert not plan.unexplained


def test_every_variable_and_every_array_has_one_fate():
  file = dict(FILE, **{"model/alien": (2,), "model/head/bias": (7, 1)})
  del file["model/encoder/extra/kernel"]
  plan = plan_import(MODEL, file)
  assert set(fates(plan)) == set(SHAPES)
  assert plan.missing == {"encoder/extra/kernel": "model/encoder/extra/kernel"}
  assert plan.unused == ("model/alien",)
  assert list(plan.misshapen) == ["head/bias"]
  assert plan.unexplained


def test_a_transposed_kernel_is_suspected_where_the_shape_tells():
  file = FILE | {"model/encoder/stem/kernel": (5, 3)}
  misfit = plan_import(MODEL, file).misshapen["encoder/stem/kernel"]
  assert misfit == Misfit("model/encoder/stem/kernel", (3, 5), (5, 3))
  assert misfit.looks_transposed
  assert not Misfit("x", (3, 5), (5, 4)).looks_transposed


def test_other_classes_start_afresh_where_the_model_says_so():
  file = FILE | {"model/head/kernel": (5, 11), "model/head/bias": (11,)}
  plan = plan_import(MODEL, file)
  assert plan.afresh == {"head/kernel": NEW_CLASSES, "head/bias": NEW_CLASSES}
  assert plan.by_class["head/kernel"] == ClassRows("model/head/kernel", 7, 11)
  assert not plan.unexplained
  undeclared = ModelLayout(shapes=SHAPES)
  assert len(plan_import(undeclared, file).misshapen) == 2


def test_only_the_number_of_classes_may_differ():
  plan = plan_import(MODEL, FILE | {"model/head/kernel": (6, 11)})
  assert list(plan.misshapen) == ["head/kernel"]


def test_rows_are_by_class_when_they_are_to_be_carried_over():
  plan = plan_import(MODEL, FILE, carry_over=True)
  assert plan.by_class["head/bias"] == ClassRows("model/head/bias", 7, 7)
  assert set(plan.assigned) == {"encoder/stem/kernel", "encoder/extra/kernel"}


def test_a_file_of_the_backbone_alone_leaves_the_rest_afresh():
  plan = plan_import(MODEL, {"model/encoder/stem/kernel": (3, 5)})
  assert list(plan.assigned) == ["encoder/stem/kernel"]
  assert set(plan.afresh.values()) == {NOT_PRETRAINED}
  assert not plan.unexplained


def test_a_file_with_more_than_the_backbone_has_to_have_all():
  file = {n: s for n, s in FILE.items() if "head/kernel" not in n}
  assert list(plan_import(MODEL, file).missing) == ["head/kernel"]


def test_a_file_of_nothing_of_ours_is_missing_all():
  plan = plan_import(MODEL, {"weights": (3,)})
  assert set(plan.missing) == set(SHAPES)


@pytest.mark.parametrize("field", ["missing", "unused", "afresh"])
def test_patterns_explain(field):
  pattern = {field: (r"(model/)?head/",)}
  without_head = {n: s for n, s in FILE.items() if "head" not in n}
  odd = FILE | {"model/head/other": (3,)}
  file = {"missing": without_head, "unused": odd, "afresh": FILE}[field]
  plan = plan_import(MODEL, file, Exceptions(**pattern))
  assert not plan.unexplained
  if field == "unused":
    assert plan.allowed == ("model/head/other",)
  else:
    assert plan.afresh == {"head/kernel": AS_ASKED, "head/bias": AS_ASKED}


def test_what_may_be_missing_is_said_in_names_of_either_side():
  file = dict(FILE)
  del file["model/head/bias"]
  for pattern in ("head/", "model/head/bias"):
    plan = plan_import(MODEL, file, Exceptions(missing=(pattern,)))
    assert fates(plan)["head/bias"] == "afresh"
  plan = plan_import(MODEL, file, Exceptions(missing=("bias",)))
  assert fates(plan)["head/bias"] == "missing"


def test_a_pattern_that_is_none_is_told():
  with pytest.raises(ValueError) as error:
    Exceptions(unused=("model/", "encoder/(["))
  assert str(error.value) == (
    "what may be unused: expected a regular expression, such as "
    "'semantic_decoder/'; got 'encoder/([', unterminated character set at "
    "position 9."
  )
