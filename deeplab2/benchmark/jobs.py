"""What to measure, and how: plain values that travel between processes."""

import dataclasses
import json

GRAPH, XLA = "graph", "xla"
MODES = (GRAPH, XLA)
PRECISIONS = ("float32", "mixed_bfloat16")
MODEL = "model"  # parameters and multiply-adds; nothing is timed
MACHINE = "machine"  # what the machine can do at best
OPERATIONS = "operations"  # where the time of a prediction goes
TIMED = (
  "network",
  "prediction",
  "postprocess",
  "train_step",
  "loss",
  "matching",
  "quality",
  "input",
)
PARTS = (MODEL, MACHINE, OPERATIONS, *TIMED)

_SLOTS_FIELD = "model_options.backbone.num_mask_slots"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
  """One measurement, in a process of its own.

  Attributes:
    part: one of PARTS.
    config_file: as `load_experiment` takes it.
    overrides: the same.
    size: height and width of the images, 16 k + 1.
    batch: images of a call.
    slots: mask slots of the model; None for what the config says.
    repeats: calls that are timed, after a first one.
    precision: one of PRECISIONS.
    mode: one of MODES.
  """

  part: str
  config_file: str
  overrides: tuple[str, ...] = ()
  size: int
  batch: int = 1
  slots: int | None = None
  repeats: int = 5
  precision: str = "float32"
  mode: str = GRAPH

  def __post_init__(self):
    _check_choice("parts", self.part, PARTS)
    _check_choice("precision", self.precision, PRECISIONS)
    _check_choice("mode", self.mode, MODES)
    if self.size % 16 != 1:
      raise ValueError(
        f"size: expected 16*k + 1, such as 641; got {self.size}."
      )
    if self.size < 33:
      raise ValueError(
        f"size: expected 16*k + 1 of 33 or more; got {self.size}."
      )
    for field in ("batch", "repeats", "slots"):
      value = getattr(self, field)
      if value is not None and value < 1:
        raise ValueError(f"{field}: expected 1 or more; got {value}.")

  def to_json(self) -> str:
    return json.dumps(dataclasses.asdict(self))

  @classmethod
  def from_json(cls, text: str) -> "Job":
    fields = json.loads(text)
    return cls(**fields | {"overrides": tuple(fields["overrides"])})

  def experiment_overrides(self) -> list[str]:
    """The config's changes, those that the job itself asks for included."""
    sized = [
      f"{split}_dataset_options.crop_size={self.size},{self.size}"
      for split in ("train", "eval")
    ]
    slots = [f"{_SLOTS_FIELD}={self.slots}"] if self.slots else []
    return [
      *self.overrides,
      *sized,
      *slots,
      f"train_dataset_options.batch_size={self.batch}",
      f"trainer_options.precision={self.precision}",
      f"trainer_options.jit_compile={str(self.mode == XLA).lower()}",
    ]


def _check_choice(field: str, value: str, choices: tuple[str, ...]):
  if value not in choices:
    raise ValueError(
      f"{field}: expected one of {', '.join(choices)}; got {value!r}."
    )
