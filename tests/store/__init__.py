"""The store: one conformance suite for every database, and what a crash leaves."""
