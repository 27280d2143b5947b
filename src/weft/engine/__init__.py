"""What happens by itself: runs, and timed chores.

The engine never calls the API and is never called by it: they meet in the
database.
"""
