"""What happens by itself: timed chores now, runs later.

The engine never calls the API and is never called by it: they meet in the
database.
"""
