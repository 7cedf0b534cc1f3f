"""The page of dh-sample serve."""
