"""How near single frames come to the real ones, how sharp they are, whose face they show."""
