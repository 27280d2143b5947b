"""Connections: kept, closed at once, secured, and never read further than somebody listens."""

import asyncio
import contextlib
import ssl
from pathlib import Path

import httpx2
import pytest

from tests.llm import upstream as up
from tests.llm.conftest import Run
from tests.llm.hearing import DEADLINE_S, Hear, Heard, asked, listen, model_at
from weft.llm.chat import ChatModel
from weft.llm.endpoint import Endpoint
from weft.llm.model import TextDelta
from weft.llm.transport import MOST_UNREAD_BYTES, Transport

HI = up.chunk({"content": "Hi"})
CERTIFICATE = Path(__file__).parent / "localhost.pem"


async def until_left(call: up.Call) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await call.until_left()


def test_a_connection_is_used_again(run: Run) -> None:
    async def story() -> int:
        async with up.Upstream() as upstream:
            model = model_at(upstream.url)
            for _ in range(3):
                await listen(model, asked(), heard := Heard([]))
                assert heard.text == "Hello world"
            await model.close()
            return upstream.connections

    assert run(story()) == 1


def test_requests_at_the_same_time_do_not_wait_for_each_other(run: Run) -> None:
    async def story() -> None:
        async with up.Upstream() as upstream:
            everybody = asyncio.Barrier(150)  # more than httpx2 connects by itself

            async def together(call: up.Call) -> None:
                await everybody.wait()
                await up.text("Hi")(call)

            upstream.play(together)
            model = model_at(upstream.url)
            heard = [Heard([]) for _ in range(everybody.parties)]
            await asyncio.gather(*(listen(model, asked(), one) for one in heard))
            assert [one.text for one in heard] == ["Hi"] * everybody.parties
            await model.close()

    run(story())


def test_a_kept_connection_that_the_server_closed_costs_nothing(run: Run) -> None:
    async def once(call: up.Call) -> None:
        await up.text("Hi")(call)
        call.keeps_connection = False

    async def story() -> None:
        async with up.Upstream() as upstream:
            upstream.play(once)
            waits: list[float] = []
            model = model_at(upstream.url, waits)
            for _ in range(3):
                await listen(model, asked(), heard := Heard([]))
                assert (heard.text, heard.error) == ("Hi", None)
            assert waits == []
            await model.close()

    run(story())


def test_a_server_that_dies_on_a_kept_connection_is_asked_anew_at_once(run: Run) -> None:
    async def story() -> None:
        async with up.Upstream() as upstream:
            upstream.play(up.text("Hi"), up.dropped(), up.text("Hi"))
            waits: list[float] = []
            model = model_at(upstream.url, waits)
            for _ in range(2):
                await listen(model, asked(), heard := Heard([]))
                assert (heard.text, heard.error) == ("Hi", None)
            assert (len(upstream.calls), waits) == (3, [])
            await model.close()

    run(story())


def test_closing_the_stream_ends_the_call_of_the_upstream(run: Run) -> None:
    async def story() -> None:
        async with up.Upstream() as upstream:
            upstream.play(up.silent(HI))
            model = model_at(upstream.url)
            deltas = model.stream(asked())
            assert await anext(deltas) == TextDelta("Hi")
            await deltas.aclose()
            await until_left(upstream.calls[0])
            await model.close()

    run(story())


@pytest.mark.parametrize("before", [[], [HI]], ids=["before the headers", "in the middle"])
def test_cancelling_the_reader_ends_the_call_of_the_upstream(
    run: Run, before: list[object]
) -> None:
    async def story() -> None:
        async with up.Upstream() as upstream:
            asked_for = asyncio.Event()

            async def silent(call: up.Call) -> None:
                asked_for.set()
                if before:
                    await up.silent(*before)(call)
                await call.until_left()

            upstream.play(silent)
            model = model_at(upstream.url)
            reading = asyncio.ensure_future(listen(model, asked(), Heard([])))
            await asked_for.wait()
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            await until_left(upstream.calls[0])
            await model.close()

    run(story())


def test_closing_while_it_waits_for_another_attempt_is_possible(run: Run) -> None:
    async def story() -> None:
        async with up.Upstream() as upstream:
            upstream.play(up.limited("60"))
            waiting = asyncio.Event()

            async def forever(_: float) -> None:
                waiting.set()
                await asyncio.Event().wait()

            endpoint = Endpoint(match="*", url=upstream.url)
            model = ChatModel(endpoint, sleep=forever)
            reading = asyncio.ensure_future(listen(model, asked(), Heard([])))
            await waiting.wait()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            await model.close()

    run(story())


def test_a_reader_that_pauses_holds_the_upstream_back_and_not_its_answer(run: Run) -> None:
    """Backpressure: only a bounded part of an answer is ever in memory."""
    large = up.chunk({"content": "x" * 100_000})
    count = 300  # 30 MB: more than all buffers of sockets on the way hold

    async def story() -> None:
        async with up.Upstream() as upstream:
            sent = 0

            async def gush(call: up.Call) -> None:
                nonlocal sent
                await call.begin()
                for _ in range(count):
                    await call.event(large)
                    sent += 1
                await call.event(b"[DONE]")
                await call.end()

            upstream.play(gush)
            model = model_at(upstream.url)
            deltas = model.stream(asked())
            read = [await anext(deltas)]
            for _ in range(500):  # turns of the loop in which the upstream sends what it can
                await asyncio.sleep(0.001)
            assert sent < count
            read += [delta async for delta in deltas]
            assert sum(len(d.text) for d in read if isinstance(d, TextDelta)) == count * 100_000
            await model.close()

    assert MOST_UNREAD_BYTES < 1_000_000
    run(story())


def test_an_announcement_before_the_answer_is_passed_over(hear: Hear) -> None:
    async def announced(call: up.Call) -> None:
        await call.head(103, {"link": "</x>"})
        await asyncio.sleep(0.02)  # so that it arrives alone
        await up.text("Hi")(call)

    assert hear(announced).text == "Hi"


def test_an_answer_that_ends_with_its_connection_is_complete(hear: Hear) -> None:
    body = up.event(up.chunk({"content": "Hi"}, finish="stop")) + up.event(b"[DONE]")
    assert hear(up.raw(body)).text == "Hi"


@pytest.mark.parametrize("length", ["content-length: 9", "transfer-encoding: chunked"])
def test_an_answer_shorter_than_it_said_is_an_error(run: Run, length: str) -> None:
    async def torn(call: up.Call) -> None:
        name, _, value = length.partition(": ")
        await call.head(200, {name: value})
        await call.raw(b"5\r\nab")

    async def story() -> None:
        async with up.Upstream() as upstream:
            upstream.play(torn)
            url = httpx2.URL(upstream.url)
            async with httpx2.AsyncClient(transport=Transport(url)) as client:
                with pytest.raises(httpx2.RemoteProtocolError):
                    await client.post(url, json={}, timeout=5)

    run(story())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_pieces_of_any_size_are_the_same_answer(hear: Hear, size: int) -> None:
    events = [HI, up.chunk({"content": " \N{SNOWMAN}"}), up.chunk({}, finish="stop"), b"[DONE]"]
    heard = hear(up.raw(b"".join(map(up.event, events)), size=size))
    assert (heard.text, heard.reason) == ("Hi \N{SNOWMAN}", "stop")


# --- TLS ------------------------------------------------------------------------------------


def secured(run: Run, transport_of: ssl.SSLContext, host: str) -> str:
    """Ask an upstream behind TLS and return the text of the answer."""

    async def story() -> str:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(CERTIFICATE)
        async with up.Upstream(tls=server) as upstream:
            url = httpx2.URL(upstream.url).copy_with(host=host)
            async with httpx2.AsyncClient(transport=Transport(url, transport_of)) as client:
                answer = await client.post(url, json={}, timeout=5)
                return answer.text

    found = run(story())
    assert isinstance(found, str)
    return found


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(CERTIFICATE)
    return context


def test_a_trusted_server_is_asked_through_tls(run: Run) -> None:
    assert '"content": "Hello"' in secured(run, trusting(), "localhost")


def test_a_certificate_of_another_host_is_refused(run: Run) -> None:
    with pytest.raises(httpx2.ConnectError) as caught:
        secured(run, trusting(), "127.0.0.1")  # it is a certificate of localhost
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


def test_a_server_that_nobody_vouches_for_is_told_as_one(run: Run) -> None:
    async def story() -> Heard:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(CERTIFICATE)
        async with up.Upstream(tls=server) as upstream:
            heard = Heard([])
            model = model_at(upstream.url)
            await listen(model, asked(), heard)
            await model.close()
            heard.seen = upstream.calls
            return heard

    heard = run(story())
    code, message = heard.failure
    assert (code, heard.seen) == ("server_error", [])
    assert "No secure connection" in message
    assert "self" in message  # self-signed, in the words of this OpenSSL


def test_https_to_a_server_without_tls_is_told_as_one(run: Run) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
        writer.close()

    async def story() -> Heard:
        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            heard = Heard([])
            await listen(model_at(f"https://127.0.0.1:{port}/v1"), asked(), heard)
            return heard

    assert "No secure connection" in run(story()).failure[1]
