"""What an experiment asks of the devices that it runs on."""

from deeplab2.training import strategies


def check_devices(experiment, mode: str, strategy) -> None:
  """Raises a ValueError unless a run can do what it is told on its devices."""
  for split in ("train", "eval"):
    if split in mode:
      field = f"{split}_dataset_options"
      batch_size = getattr(experiment, field).batch_size
      strategies.check_batch_size(f"{field}.batch_size", batch_size, strategy)
  if mode == "continuous_eval" and strategies.hosts_of(strategy).count > 1:
    raise ValueError(
      "mode: expected train, eval or train_and_eval with TF_CONFIG: a host that"
      " waits for checkpoints does so alone; got continuous_eval."
    )
  compiled = experiment.trainer_options.jit_compile
  if strategies.is_tpu(strategy):
    if not compiled:
      raise ValueError(
        "trainer_options.jit_compile: expected true on a TPU, which has no"
        " host to match masks on; got false."
      )
  elif compiled and strategy.num_replicas_in_sync > 1:
    raise ValueError(
      "trainer_options.jit_compile: expected false on several devices, whose"
      " sums XLA cannot compile here; got true on"
      f" {strategy.num_replicas_in_sync}."
    )
