"""The HTTP API of a real server process."""
