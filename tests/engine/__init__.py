"""The engine: every run ends, and its events tell how."""
