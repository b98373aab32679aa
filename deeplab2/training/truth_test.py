import numpy as np
import pytest

from deeplab2.datasets import DatasetDescription
from deeplab2.datasets.record_index import frame_record
from deeplab2.datasets.records import RecordIndex, encode_example
from deeplab2.training.truth import RecordTruths, crowd_of

DATASET = DatasetDescription(
  name="two",
  ignore_label=0,
  divisor=10,
  thing_ids=(1,),
  class_names=("void", "cat", "sky"),
  colors=((0, 0, 0), (9, 0, 0), (0, 9, 0)),
  category_ids=(None, 1, 2),
)


def test_crowd_is_a_thing_without_instance():
  panoptic = np.array([[0, 10, 11], [20, 12, 10]])
  np.testing.assert_array_equal(
    crowd_of(panoptic, DATASET), [[False, True, False], [False, False, True]]
  )


@pytest.mark.parametrize("label_format", ["runs", "raw"])
def test_labels_come_at_their_own_size_in_the_order_of_the_records(
  tmp_path, label_format
):
  rng = np.random.default_rng(0)
  maps = [rng.choice([0, 10, 11, 20], size=s) for s in [(3, 5), (7, 2)]]
  records = [
    encode_example(
      b"",
      image_format="png",
      name="x",
      size=m.shape,
      panoptic=m,
      label_format=label_format,
    )
    for m in maps
  ]
  path = tmp_path / "val.tfrecord"
  path.write_bytes(b"".join(map(frame_record, records)))
  truths = RecordTruths(RecordIndex.from_patterns(str(path)), DATASET)
  for number, panoptic in enumerate(maps):
    truth = truths(number)
    np.testing.assert_array_equal(truth.panoptic, panoptic)
    np.testing.assert_array_equal(truth.crowd, panoptic == 10)
