import pytest

from deeplab2.benchmark.network_size import _part_of, network_size


@pytest.fixture(scope="module")
def sizes(architecture):
  return {size: network_size(architecture.model, size) for size in (33, 65)}


def test_the_parts_make_up_the_whole(sizes, architecture):
  found = sizes[65]
  parts = found["parts"].values()
  variables = architecture.model.variables
  assert found["parameters"] == sum(
    int(v.value.shape.num_elements()) for v in variables
  )
  assert found["parameters"] == sum(part["parameters"] for part in parts)
  assert found["multiply_adds"] == sum(
    sum(part["multiply_adds"].values()) for part in parts
  )


def test_a_prediction_needs_no_auxiliary_branch(sizes):
  parts = sizes[65]["parts"]
  auxiliary = sum(
    sum(parts[name]["multiply_adds"].values())
    for name in ("semantic_decoder", "semantic_head")
  )
  assert auxiliary > 0
  assert sizes[65]["multiply_adds_of_prediction"] == (
    sizes[65]["multiply_adds"] - auxiliary
  )


def test_convolutions_grow_with_the_pixels(sizes):
  small, large = (sizes[n]["parts"]["encoder"]["multiply_adds"] for n in sizes)
  # At stride 16, 33 has 3 x 3 features and 65 has 5 x 5.
  growth = large["convolution"] / small["convolution"]
  assert (5 / 3) ** 2 / 1.15 < growth < 1.15 * (65 / 33) ** 2


def test_a_scope_without_a_layer_is_an_error(architecture):
  parts = {"mask_head": architecture.model.mask_head}
  assert (
    _part_of(f"{architecture.model.mask_head.name}_1", parts) == "mask_head"
  )
  with pytest.raises(
    ValueError, match="expected one layer behind the scope 'x'"
  ):
    _part_of("x", parts)
