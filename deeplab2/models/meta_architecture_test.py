import importlib

import pytest

from deeplab2.config import config_pb2
from deeplab2.models.meta_architecture import (
  META_ARCHITECTURES,
  build_meta_architecture,
)


@pytest.mark.parametrize("name", META_ARCHITECTURES)
def test_the_table_names_fields_of_the_config_and_modules_that_build(name):
  options = config_pb2.ExperimentOptions().model_options
  choices = options.DESCRIPTOR.oneofs_by_name["meta_architecture"].fields
  assert name in {field.name for field in choices}
  assert callable(importlib.import_module(META_ARCHITECTURES[name]).build)


def test_one_that_is_not_available_is_refused_with_the_choices():
  experiment = config_pb2.ExperimentOptions()
  experiment.model_options.motion_deeplab.SetInParent()
  with pytest.raises(ValueError) as error:
    build_meta_architecture(experiment)
  assert str(error.value) == (
    "model_options.meta_architecture: expected one of ['max_deeplab']; got "
    "motion_deeplab."
  )


def test_a_config_without_one_is_refused():
  with pytest.raises(ValueError, match="got None"):
    build_meta_architecture(config_pb2.ExperimentOptions())
