import keras
import numpy as np

from deeplab2.training.weight_average import WeightAverage


class Model(keras.Model):
  def __init__(self):
    super().__init__()
    self.layer = keras.layers.Dense(3)
    self.norm = keras.layers.BatchNormalization()

  def call(self, x):
    return self.norm(self.layer(x))


def built():
  model = Model()
  model(np.ones((2, 5), np.float32))
  return model


def test_averages_begin_as_the_weights():
  model = built()
  average = WeightAverage(model, 0.9)
  model.layer.kernel.assign(np.full((5, 3), 7.0))
  assert not np.any(average.by_path()["layer/kernel"].numpy() == 7)
  average.begin()
  assert np.all(average.by_path()["layer/kernel"].numpy() == 7)


def test_a_late_update_keeps_the_decay_and_an_early_one_less():
  model = built()
  average = WeightAverage(model, 0.9)
  found = average.by_path()["norm/moving_mean"]
  model.norm.moving_mean.assign(np.ones(3))
  average.update(10**6)
  np.testing.assert_allclose(found.numpy(), 0.1, rtol=1e-5)
  average.begin()
  model.norm.moving_mean.assign(np.zeros(3))
  average.update(1)
  np.testing.assert_allclose(found.numpy(), 2 / 11, rtol=1e-5)


def test_weights_come_back_from_an_error():
  model = built()
  average = WeightAverage(model, 0.9)
  model.layer.bias.assign([1.0, 2.0, 3.0])
  try:
    with average.in_the_model():
      assert not np.any(model.layer.bias.numpy())
      raise KeyError
  except KeyError:
    assert model.layer.bias.numpy().tolist() == [1, 2, 3]
