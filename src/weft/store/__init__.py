"""The store: every object ends here as one transaction, and is read back from here.

`database` says what a database must do; `sqlite` does it. The SQL stands in
named `.sql` files: `shared.sql` for all, one small file for each dialect with
what differs. The modules named after resources (`threads`, `messages`, ...)
say which statements an operation is made of. A write is data, a tuple of
guarded statements, so that writes of many requests share one commit.

Only this room knows a SQL driver.
"""
