"""Which clips: manifests, layouts of the data sets of the field, splits, identities."""
