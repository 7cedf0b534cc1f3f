"""The command dh-prep."""
