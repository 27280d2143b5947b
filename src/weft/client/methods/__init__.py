"""The typed methods of `Client`.

Made by scripts/client_methods.py from the contract in src/weft/wire: edit that instead.
"""

from weft.client.methods.assistants import Assistants
from weft.client.methods.files import Files
from weft.client.methods.messages import Messages
from weft.client.methods.models import Models
from weft.client.methods.runs import Runs
from weft.client.methods.server import Server
from weft.client.methods.threads import Threads
from weft.client.methods.uploads import Uploads
from weft.client.methods.vector_stores import VectorStores


class Methods(Threads, Messages, Assistants, Runs, VectorStores, Files, Uploads, Models, Server):
    """A method for each operation."""
