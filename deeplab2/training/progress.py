"""How a run speaks on the terminal: one line for every loop of steps."""

from collections.abc import Mapping

TOTAL = "total_loss"


def training_line(
  step: int,
  total_steps: int,
  means: Mapping[str, float],
  steps_per_second: float,
  batch_size: int,
  *,
  input_share: float,
  memory: Mapping[str, int],
) -> str:
  """Loss and its terms, speed, what limits it, and the time left at it.

  Args:
    step: steps done.
    total_steps: steps to do in all.
    means: of the terms of the loss.
    steps_per_second: of late.
    batch_size: images a step.
    input_share: of the time, that steps waited for their batches.
    memory: device -> bytes in use.
  """
  terms = " ".join(
    f"{short_name(name)} {value:.3f}"
    for name, value in means.items()
    if name.endswith(("_loss", "_term")) and name != TOTAL
  )
  left = (total_steps - step) / steps_per_second
  return " | ".join(
    [
      f"step {step:>{len(str(total_steps))}}/{total_steps}",
      f"loss {means[TOTAL]:.4f} ({terms})",
      f"{steps_per_second:.2f} steps/s, "
      f"{steps_per_second * batch_size:.1f} images/s",
      f"input bound: {input_share:.0%}",
      ", ".join(f"{name} {size(n)}" for name, n in memory.items()),
      f"{duration(left)} left",
    ]
  )


def short_name(term: str) -> str:
  """A term's name without the words that all of them share."""
  return term.removesuffix("_loss").removesuffix("_term").replace("_loss", "")


def size(num_bytes: float) -> str:
  """Bytes as people say them, in powers of ten: 850 MB, 1.9 GB."""
  if num_bytes < 1e9:
    return f"{num_bytes / 1e6:.0f} MB"
  return f"{num_bytes / 1e9:.1f} GB"


def duration(seconds: float) -> str:
  """Seconds as people say them: 42 s, 7 min 30 s, 3 h 05 min, 2 d 4 h."""
  seconds = round(seconds)
  if seconds < 60:
    return f"{seconds} s"
  minutes, seconds = divmod(seconds, 60)
  if minutes < 60:
    return f"{minutes} min {seconds:02d} s"
  hours, minutes = divmod(minutes, 60)
  if hours < 48:
    return f"{hours} h {minutes:02d} min"
  return f"{hours // 24} d {hours % 24} h"
