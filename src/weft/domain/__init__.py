"""What is true of Weft's objects without a disk, a socket or a clock.

Errors and identifiers live here; the life of a run joins them. Nothing in this
room does I/O, reads the time or imports another room.
"""

# Here, at the bottom of the house, because every room may name it.
__version__ = "0.1.0"
