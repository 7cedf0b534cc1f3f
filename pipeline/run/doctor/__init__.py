"""What dh-prep doctor looks at, and the bug report that it writes."""
