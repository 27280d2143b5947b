"""Weft's own client, against real servers."""
