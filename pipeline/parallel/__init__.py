"""Ray: a session on this machine or a cluster, and actors that share work."""
