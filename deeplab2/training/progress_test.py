import pytest

from deeplab2.training import progress


@pytest.mark.parametrize(
  ("seconds", "text"),
  [
    (0.4, "0 s"),
    (59.4, "59 s"),
    (450, "7 min 30 s"),
    (3 * 3600 + 5 * 60 + 1, "3 h 05 min"),
    (47 * 3600, "47 h 00 min"),
    (52 * 3600, "2 d 4 h"),
  ],
)
def test_durations_read_as_people_say_them(seconds, text):
  assert progress.duration(seconds) == text


def test_a_line_has_loss_terms_speed_and_time_left():
  means = {
    "semantic_loss": 0.25,
    "pq_style_loss_class_term": 1.5,
    "total_loss": 1.75,
    "gradient_norm": 9.0,
  }
  line = progress.training_line(
    50,
    1000,
    means,
    2.0,
    16,
    input_share=0.716,
    memory={"host": 1.94e9, "GPU:0": 85e7},
  )
  assert line == (
    "step   50/1000 | loss 1.7500 (semantic 0.250 pq_style_class 1.500)"
    " | 2.00 steps/s, 32.0 images/s | input bound: 72%"
    " | host 1.9 GB, GPU:0 850 MB | 7 min 55 s left"
  )
