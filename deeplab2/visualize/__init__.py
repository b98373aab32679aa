"""Pictures of panoptic maps and of training: numpy, Pillow, matplotlib."""
