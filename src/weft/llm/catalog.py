from msgspec import Struct
from weft.llm.model import *
import asyncio


class Endpoint(Struct):
    match: str = ""
    url: str = ""
    api_key: str | None = None
    name: str | None = None
    timeout_s: float = 1
    connect_timeout_s: float = 1
    headers: dict = {}
    api_version: str | None = None


class Demo:
    async def stream(self, request):
        last = request.messages[-1]
        if request.tools and last.role == "user" and "call" in str(last.content):
            yield TextDelta("let me see")
            yield ToolCallDelta(0, "call_a", request.tools[0].name, '{"a"')
            yield ToolCallDelta(0, None, None, ":1}")
            yield ToolCallDelta(1, "call_b", request.tools[0].name, "{}")
            yield Usage(10, 5)
            yield Finished("tool_calls")
            return
        if "slow" in str(last.content):
            for i in range(1000):
                yield TextDelta(f"w{i} ")
                await asyncio.sleep(0.05)
        for w in f"Hello you said {last.content}".split():
            yield TextDelta(w + " ")
        yield Finished("stop")
        yield Usage(7, 3)

    async def close(self):
        pass


class Catalog:
    def __init__(self, e):
        pass

    def find(self, m):
        if m != "weft-demo":
            raise ModelError("server_error", "no such model")
        return Demo()

    def names(self):
        return ["weft-demo"]

    async def close(self):
        pass
