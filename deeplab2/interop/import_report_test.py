from deeplab2.interop.import_plan import ModelLayout, plan_import
from deeplab2.interop.import_report import (
  advice,
  afresh_lines,
  listings,
  table,
)

SHAPES = {
  "encoder/stem/conv/kernel": (3, 5),
  "encoder/stage5_extra/kernel": (5, 5),
  "head/conv/kernel": (5, 7),
  "head/conv/bias": (7,),
}
MODEL = ModelLayout(
  shapes=SHAPES,
  backbone=frozenset({"encoder/stem/conv/kernel"}),
  class_paths=frozenset({"head/conv/kernel", "head/conv/bias"}),
)
FILE = {f"model/{path}": shape for path, shape in SHAPES.items()}


def test_the_table_counts_variables_and_parameters():
  file = FILE | {
    "model/encoder/stem/conv/kernel": (5, 3),
    "model/alien": (1000, 2),
    "optimizer/all/iterations": (),
    "model/head/conv/kernel": (5, 2),
    "model/head/conv/bias": (2,),
  }
  assert table(plan_import(MODEL, file)) == (
    "                     variables     parameters\n"
    "assigned                     1             25\n"
    "afresh                       2             42\n"
    "missing                      0              0\n"
    "misshapen                    1             15\n"
    "unused                       1          2,000\n"
    "unused, allowed              0              0\n"
    "optimizer, counters          1              1"
  )


def test_all_that_is_amiss_is_listed():
  file = FILE | {"model/encoder/stem/conv/kernel": (5, 3), "model/alien": (1,)}
  del file["model/head/conv/bias"]
  assert listings(plan_import(MODEL, file)) == (
    "\nMissing in the file (1):\n"
    "  model/head/conv/bias"
    "\nUnexpected in the file (1):\n"
    "  model/alien"
    "\nOf another shape (1):\n"
    "  model/encoder/stem/conv/kernel: [3, 5] in the model, [5, 3] in the file"
    " (transposed?)"
  )
  assert listings(plan_import(MODEL, FILE)) == ""


def test_advice_names_the_flags_with_patterns_that_fit():
  file = FILE | {
    "model/alien/a.b/kernel": (1,),
    "model/alien/a.b/bias": (1,),
  }
  del file["model/head/conv/bias"]
  plan = plan_import(MODEL, file)
  assert advice(plan).splitlines() == [
    "",
    "To start what is missing afresh, if that is meant: "
    "--allow_missing='model/head/conv/bias' "
    "(in a config, initial_checkpoint_allow_missing).",
    "To leave in the file what is unexpected, if that is meant: "
    "--allow_unused='model/alien/a\\.b/' "
    "(in a config, initial_checkpoint_allow_unused).",
  ]
  assert advice(plan_import(MODEL, FILE)) == ""


def test_advice_names_no_pattern_where_none_helps():
  file = FILE | {"model/encoder/stem/conv/kernel": (5, 3)}
  del file["model/head/conv/bias"]
  assert advice(plan_import(MODEL, file)) == (
    "\nNothing allows another shape: the config has to be the one that the "
    "checkpoint was trained with, and the file as it was written."
  )


def test_advice_without_a_folder_in_common_begins_with_the_first():
  file = FILE | {"zebra/kernel": (1,), "alien/kernel": (1,)}
  assert "--allow_unused='alien/'" in advice(plan_import(MODEL, file))


def test_long_lists_are_cut():
  file = FILE | {f"model/alien{i:03d}": (1,) for i in range(60)}
  lines = listings(plan_import(MODEL, file)).splitlines()
  assert lines[-1] == "  ... and 40 more"
  assert len(lines) == 23


def test_one_line_says_which_layers_start_afresh_for_other_classes():
  file = FILE | {
    "model/head/conv/kernel": (5, 2),
    "model/head/conv/bias": (2,),
  }
  assert afresh_lines(plan_import(MODEL, file)) == [
    "Starts afresh for other classes: head/conv (2 -> 7)."
  ]


def test_one_line_says_what_a_backbone_leaves():
  plan = plan_import(MODEL, {"model/encoder/stem/conv/kernel": (3, 5)})
  assert afresh_lines(plan) == [
    "Starts afresh beyond a pretrained backbone: "
    "encoder/stage5_extra, head/conv."
  ]
