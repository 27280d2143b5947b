"""The clients that people have, unmodified, against a real server process."""
