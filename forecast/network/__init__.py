"""The network: what it sees, and what it answers."""
