"""The thread through everything: the programs, as a user runs them.

A network too small to be good at anything; what counts is that each program
takes what the one before it left.
"""

import json

import numpy as np
import pytest
from PIL import Image
from programs import run_program

TINY = [
  "trainer_options.steps_per_loop=2",
  "trainer_options.save_summaries_steps=2",
  "trainer_options.save_checkpoints_steps=2",
  "trainer_options.solver_options.training_number_of_steps=4",
  "trainer_options.solver_options.warmup_steps=1",
  "model_options.backbone.backbone_width_multiplier=0.125",
  "model_options.backbone.stem_width_multiplier=0.125",
  "model_options.backbone.backbone_layer_multiplier=0.34",
  "train_dataset_options.crop_size=33,49",
  "train_dataset_options.batch_size=2",
  "eval_dataset_options.crop_size=33,49",
  "eval_dataset_options.batch_size=2",
  "evaluator_options.eval_interval=4",
  # Untrained slots are sure of nothing: let all of them through.
  "evaluator_options.transformer_class_confidence_threshold=0",
  "evaluator_options.pixel_confidence_threshold=0",
]


def run(program, *arguments):
  done = run_program(program, *arguments, timeout=600)
  assert done.returncode == 0, f"{program}:\n{done.stdout}\n{done.stderr}"
  return done.stdout


def settings(folder):
  overrides = [f"DATA_DIR={folder / 'records'}", *TINY]
  return [part for value in overrides for part in ("--set", value)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  """Shapes, their records, and a model trained for four steps on them."""
  root = tmp_path_factory.mktemp("thread")
  run(
    "data/build_shapes_data.py",
    f"--output_dir={root / 'coco'}",
    *("--num_train=5", "--num_val=3", "--size=49", "--num_processes=1"),
  )
  run(
    "data/build_coco_data.py",
    f"--coco_root={root / 'coco'}",
    f"--output_dir={root / 'records'}",
    "--num_processes=1",
  )
  run(
    "trainer/train.py",
    "--config_file=max_deeplab_tiny",
    "--mode=train_and_eval",
    f"--model_dir={root / 'model'}",
    *settings(root),
  )
  return root


def test_training_leaves_metrics_curves_pictures_and_predictions(folder):
  metrics = json.loads((folder / "model" / "metrics.json").read_text())
  assert metrics["step"] == 4
  assert metrics["eval"]["images"] == 3  # the last batch is a partial one
  assert 0 <= metrics["eval"]["panoptic_quality"]["all"]["pq"] <= 1
  assert len(list((folder / "model/vis/pictures").glob("*.png"))) == 3
  run("evaluation/report.py", f"--model_dir={folder / 'model'}")
  assert (folder / "model" / "curves.png").is_file()


def test_checkpoint_and_prediction_files_have_the_score_of_the_run(folder):
  expected = json.loads((folder / "model" / "metrics.json").read_text())
  expected = expected["eval"]["panoptic_quality"]
  run(
    "evaluation/evaluate.py",
    f"--checkpoint={folder / 'model'}",
    f"--config_file={folder / 'model/experiment.textproto'}",
    f"--output_json={folder / 'checkpoint.json'}",
  )
  run(
    "evaluation/evaluate.py",
    f"--truth_json={folder / 'coco/annotations/panoptic_val2017.json'}",
    f"--predictions_json={folder / 'model/vis/predictions.json'}",
    f"--output_json={folder / 'files.json'}",
  )
  for name in ("checkpoint.json", "files.json"):
    found = json.loads((folder / name).read_text())
    assert found["all"] == pytest.approx(expected["all"]), name


def test_an_export_predicts_what_the_model_predicts(folder):
  run(
    "trainer/export_model.py",
    f"--checkpoint_path={folder / 'model'}",
    f"--output_path={folder / 'exported'}",
  )
  for source in ("model", "exported"):
    run(
      "evaluation/predict.py",
      f"--model={folder / source}",
      f"--input={folder / 'coco/val2017'}",
      f"--output_dir={folder / f'from_{source}'}",
    )
  pictures = sorted((folder / "coco/val2017").glob("*.jpg"))
  assert len(pictures) == 3
  for picture in pictures:
    maps = []
    for source in ("model", "exported"):
      stem = folder / f"from_{source}" / picture.stem
      with Image.open(f"{stem}_panoptic.png") as file:
        maps.append(np.asarray(file))
      assert json.loads(
        stem.with_name(f"{stem.name}_segments.json").read_text()
      )
    with Image.open(picture) as image:
      assert maps[0].shape[:2] == (image.height, image.width)
    assert np.mean((maps[0] == maps[1]).all(axis=-1)) > 0.999
