"""The networks that find faces and describe them; FAN, which also follows them, is beside."""
