"""The test protocol with our model and with other systems."""
