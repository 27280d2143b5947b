"""The client: every operation of an OpenAPI document, checked before it is sent.

    setting       whose API, where it stands, as whom
    description   a document as operations; schemas: its schemas as JSON Schema 2020-12
    check         what is wrong with a call, all at once
    request       arguments as the bytes of a request; bodies, files: what it carries
    retry         when to send again; events: server-sent events
    core, follow  calls, lists and streams step by step, without any I/O
    blocking, awaiting       the two shells that do the steps; transport: what both know of httpx2
    methods, async_methods   the typed methods by tag, made by scripts/client_methods.py
    contract      Weft's own description, with its types
    terminal, chat           weft call, weft help, weft chat

The public names are those of `weft` itself: `from weft import Client`.
"""
