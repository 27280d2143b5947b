"""Two thousand streams over two nodes: each client is shown the whole of its run."""

import asyncio
import re
import resource
from urllib.parse import urlsplit

import pytest

from tests.api.making import a_thread, an_assistant
from tests.api.running import USER, a_run, gated, path_of
from tests.cluster.processes import Town

RUNS = 100
STREAMS = 20  # of each run, every other one from the other node
WORDS = [f"word{number} " for number in range(12)]
NUMBER = re.compile(rb"^id: (\d+)$", re.MULTILINE)
TEXT = re.compile(rb'"text":\{"value":"(word\d+ )"')
PATIENCE_S = 120


class Stream:
    """A connection that is read past any HTTP library: two thousand of those would be slow."""

    def __init__(self, address: str, path: str) -> None:
        place = urlsplit(address)
        self._where = (place.hostname, place.port)
        self._request = f"GET /v1{path}?stream=true HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n"
        self.received = b""

    async def begin(self) -> None:
        """Connect and read the first events."""
        self._reader, self._writer = await asyncio.open_connection(*self._where)
        self._writer.write(self._request.encode())
        await self.read_to(b"event: thread.run.queued")

    async def end(self) -> None:
        """Read all the rest."""
        await self.read_to(b"event: done")
        self._writer.close()
        await self._writer.wait_closed()

    async def read_to(self, mark: bytes) -> None:
        """Read until something has been said."""
        while mark not in self.received:
            piece = await self._reader.read(65536)
            assert piece, f"cut off: {self.received[-500:]!r}"
            self.received += piece


@pytest.mark.full
def test_two_thousand_streams_over_two_nodes_show_everything_to_everybody(town: Town) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    nodes = [town.node(WEFT_LOG_LEVEL="warning") for _ in range(2)]
    answer, gate = gated(*WORDS)
    town.upstream.play(answer)
    assistant = an_assistant(nodes[0].api)
    paths = [
        path_of(a_run(node.api, a_thread(node.api, messages=[USER]), assistant))
        for node in nodes
        for _ in range(RUNS // 2)
    ]
    streams = [
        Stream(nodes[number % 2].server.address, path)
        for path in paths
        for number in range(STREAMS)
    ]

    async def watch() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*(stream.begin() for stream in streams))
            for word in WORDS:  # each is heard by everybody before the next is said
                gate.let()
                await asyncio.gather(*(stream.read_to(word.encode()) for stream in streams))
            gate.open()
            await asyncio.gather(*(stream.end() for stream in streams))

    asyncio.run(watch())
    for number, node in enumerate(nodes, 1):
        print(f"node {number} with 1,000 streams: {node.peak_mb()} MB at most")
    assert len(streams) == 2000
    for stream in streams:
        numbers = [int(number) for number in NUMBER.findall(stream.received)]
        assert numbers == list(range(1, len(numbers) + 1))
        said = b"".join(TEXT.findall(stream.received.partition(b"message.completed")[0]))
        assert said.decode() == "".join(WORDS)
