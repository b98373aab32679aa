"""From mask predictions to panoptic maps, one file a rule."""
