"""The HTTP API: one module for each resource, one function for each operation.

`app` takes a request from the socket to its function and the answer back:
`routing` finds the operation, `door` says who asks, `wire` checks the body.
A function gets a `Call` and gives an `Answer`; what it stores goes to the store
as one write. Nothing here knows SQL or calls the engine.
"""
