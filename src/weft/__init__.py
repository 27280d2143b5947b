"""Weft: the Threads API that you host yourself.

The house, room by room (imports point downwards only):

    cli        the command line: weft serve, keys, backup, doctor
    doctor     looks at what a server would run on
    main       builds the rooms, starts and stops them in order
    api        one module for each resource, one function for each operation
    engine     what happens by itself: runs and timed chores
    llm        who answers: any OpenAI-style endpoint, and a demo that needs none
    store      every object as one transaction: SQLite, named SQL, migrations
    wire       the contract, written once: structs, operations, OpenAPI, errors
    config     settings; the only reader of the environment
    domain     ids, errors, the life of a run: no I/O, no clock
"""

__version__ = "0.1.0"
