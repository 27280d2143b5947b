"""File search: from a file's bytes to the passages that answer a question.

`extract.py` reads a file's text in a process of its own, `chunking.py` cuts it,
`indexing.py` puts both and the vectors into the store, `search.py` ranks what
the store finds for a query, `filters.py` holds files to a condition on their
attributes, and `words.py` makes the terms that texts and queries meet in.
"""
