"""From videos to numbers to the paper's tables (dh-bench)."""
