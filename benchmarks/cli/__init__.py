"""The command dh-bench."""
