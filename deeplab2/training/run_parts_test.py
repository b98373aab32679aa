import json

from deeplab2.training import fake_architecture as fake
from deeplab2.training.run_parts import RunParts
from deeplab2.training.watchdog import Watchdog


def test_what_comes_out_is_written_and_where_is_said_at_the_end(tmp_path):
  lines = []
  folder = str(tmp_path)
  parts = RunParts(
    fake.experiment(),
    folder,
    folder,
    Watchdog(lines.append),
    fake.build,
    fake.Data,
  )
  assert parts.hosts == (1, 0)
  assert parts.outputs.pixels == fake.SIZE[0] * fake.SIZE[1]
  parts.add_metrics({"step": 3})
  parts.add_metrics({"eval": {"pq": 0.5}})
  assert lines == []
  metrics = parts.finish()
  assert metrics == {"experiment": "colors", "step": 3, "eval": {"pq": 0.5}}
  assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
  assert lines == [f"Metrics: {folder}/metrics.json"]
