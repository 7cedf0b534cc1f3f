"""The paper's tables: published, measured, rendered."""
