"""Tests: real files, real processes, real sockets."""
