"""The report: one page with figures, excerpts and drift."""
