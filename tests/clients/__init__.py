"""The clients of others, in their own environments, against a real server: `make test-clients`.

`environments` holds the pinned versions and installs them below `.clients/`;
`python -m tests.clients` starts the servers, runs each client's scenario and
adds up. `make test` runs none of this: it would need the network.
"""
