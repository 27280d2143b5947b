"""Tests of weft.llm, and the model server that misbehaves on request (upstream.py)."""
