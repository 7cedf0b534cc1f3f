"""The data set: its contract, plan, check, filter, card and contact sheet."""
