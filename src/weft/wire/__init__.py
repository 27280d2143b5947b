"""The contract: what travels between a client and Weft, written once.

The typed structs of this room check requests, encode answers and become the
OpenAPI document; `operations.TABLE` says which operation takes and gives which.
Struct and field names are the official ones. A lawful body is decoded and
checked in one pass (`body`); only a refused one is walked again to say exactly
what is wrong (`explain`). No database, no socket.
"""
