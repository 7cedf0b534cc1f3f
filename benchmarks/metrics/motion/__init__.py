"""Blinks, and how much frames change from one to the next."""
