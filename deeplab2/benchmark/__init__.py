"""What the library costs: time, memory, arithmetic, alone or beside another."""
