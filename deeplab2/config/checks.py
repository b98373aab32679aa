"""Is an experiment whole and consistent? Asked before anything is built."""

from deeplab2.config.config_pb2 import ExperimentOptions


def complete_and_check(
  experiment: ExperimentOptions, splits: tuple[str, ...]
) -> list[str]:
  """To come."""
  return []
