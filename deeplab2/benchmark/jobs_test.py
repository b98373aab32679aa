import pytest

from deeplab2.benchmark.jobs import Job


def _job(**changes) -> Job:
  fields = {"part": "loss", "config_file": "max_deeplab_s", "size": 641}
  return Job(**fields | changes)


def test_a_job_survives_the_way_to_another_process():
  job = _job(overrides=("A=b", "trainer_options.seed=3"), mode="xla", batch=2)
  assert Job.from_json(job.to_json()) == job


def test_what_the_job_asks_for_goes_after_what_the_user_sets():
  job = _job(
    overrides=("train_dataset_options.batch_size=64",),
    size=33,
    batch=2,
    slots=64,
    precision="mixed_bfloat16",
    mode="xla",
  )
  assert job.experiment_overrides() == [
    "train_dataset_options.batch_size=64",
    "train_dataset_options.crop_size=33,33",
    "eval_dataset_options.crop_size=33,33",
    "model_options.backbone.num_mask_slots=64",
    "train_dataset_options.batch_size=2",
    "trainer_options.precision=mixed_bfloat16",
    "trainer_options.jit_compile=true",
  ]


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (
      {"part": "sleep"},
      "parts: expected one of model, machine, operations, network, "
      "prediction, postprocess, train_step, loss, matching, quality, input; "
      "got 'sleep'.",
    ),
    (
      {"precision": "half"},
      "precision: expected one of float32, mixed_bfloat16; got 'half'.",
    ),
    ({"mode": "eager"}, "mode: expected one of graph, xla; got 'eager'."),
    ({"size": 640}, "size: expected 16*k + 1, such as 641; got 640."),
    ({"size": 17}, "size: expected 16*k + 1 of 33 or more; got 17."),
    ({"batch": 0}, "batch: expected 1 or more; got 0."),
    ({"slots": 0}, "slots: expected 1 or more; got 0."),
    ({"repeats": -1}, "repeats: expected 1 or more; got -1."),
  ],
)
def test_wrong_jobs_are_named(change, message):
  with pytest.raises(ValueError) as caught:
    _job(**change)
  assert str(caught.value) == message
