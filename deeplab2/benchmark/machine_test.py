from deeplab2.benchmark.machine import copied_bytes, matmul_flops


def test_a_machine_multiplies_faster_than_a_loop_could():
  assert matmul_flops(extent=256) > 1e8


def test_copies_are_faster_than_any_disk():
  assert copied_bytes(2**24) > 1e8
