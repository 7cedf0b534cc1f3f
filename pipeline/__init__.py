"""From raw clips to WebDataset shards (dh-prep)."""
