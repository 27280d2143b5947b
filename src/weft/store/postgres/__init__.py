"""PostgreSQL: one database, many nodes.

forms      the named statements as PostgreSQL takes them
pipe       one connection, asked many things in one round trip
link       a connection that comes back
reads      what is read at the same moment shares a round trip
writes     what is written at the same moment shares a transaction
schema     migrations
"""

from weft.store.postgres.database import Postgres

__all__ = ["Postgres"]
