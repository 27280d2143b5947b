"""The typed methods of `AsyncClient`.

Made by scripts/client_methods.py from the contract in src/weft/wire: edit that instead.
"""

from weft.client.async_methods.assistants import Assistants
from weft.client.async_methods.files import Files
from weft.client.async_methods.messages import Messages
from weft.client.async_methods.models import Models
from weft.client.async_methods.runs import Runs
from weft.client.async_methods.server import Server
from weft.client.async_methods.threads import Threads
from weft.client.async_methods.uploads import Uploads
from weft.client.async_methods.vector_stores import VectorStores


class Methods(Threads, Messages, Assistants, Runs, VectorStores, Files, Uploads, Models, Server):
    """A method for each operation."""
