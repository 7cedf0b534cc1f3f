"""How near generated frames or windows as a set come to the real ones."""
