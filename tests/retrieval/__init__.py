"""Tests of file search: reading, cutting, indexing, ranking."""
