"""The commands dh-train and dh-sample."""
