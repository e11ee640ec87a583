"""Every stored line, compared with CloudEvents 1.0, Azure ML's own collector, and the rules of Azure ML's reader.

Requests go over a real connection into a real store.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import msgspec
import pytest
from azure_reader import rows_below
from cloudevents.core.formats.json import JSONFormat
from live_receiver import live_receiver
from otlp_requests import NOON, ROWS, record, request

from otel_modeldata import semconv
from otel_modeldata_receiver.layout.blob_path import tenant_of

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[1] / "data"
DOCUMENTED = (DATA / "azure-documented-lines.jsonl").read_bytes().splitlines()
REQUEST, RESPONSE, INPUTS, BINARY, TWO_ROWS = DOCUMENTED
RECORDED_FILE = next(DATA.glob("azure-recorded/**/*.jsonl"))
RECORDED = RECORDED_FILE.read_bytes().splitlines()
SCHEMA = jsonschema.Draft202012Validator(json.loads((DATA / "cloudevents.json").read_text()))
FIRST_SEVEN = ["specversion", "id", "source", "type", "datacontenttype", "time", "data"]
KEYS = {*FIRST_SEVEN, "contentrange", "correlationid", "xrequestid", "modelversion", "collectdatatype", "agent"}
OWN_KEYS = {"timens", "samplingrate", "producer", "producersequence", "datatypes", "traceparent"}
MIB = 1024 * 1024


class RawData(msgspec.Struct):
    """A line in which only the text of `data` matters."""

    data: msgspec.Raw


def body_of(golden: bytes) -> str:
    """The collected body: Azure's collector, written in Go, escapes three characters that were not escaped."""
    text = bytes(msgspec.json.decode(golden, type=RawData).data).decode()
    return text.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&")


def sent(golden: bytes) -> bytes:
    """The request that must become the line `golden`."""
    line = json.loads(golden)
    seconds = datetime.fromisoformat(line["time"]).timestamp()
    path, _, query = line.get("path", "").partition("?")
    attributes = {
        semconv.AZUREML_CORRELATION_ID: line["correlationid"],
        semconv.AZUREML_REQUEST_ID: line["xrequestid"],
        semconv.AZUREML_MODEL_VERSION: line.get("modelversion"),
        semconv.AZUREML_DATA_TYPE: line.get("collectdatatype"),
        semconv.AZUREML_AGENT: line.get("agent"),
        semconv.HTTP_REQUEST_METHOD: line.get("method"),
        semconv.URL_PATH: path or None,
        semconv.URL_QUERY: query,
        semconv.AZUREML_DATA_TOTAL_BYTES: "*" if line["contentrange"].endswith("/*") else None,
    }
    one = record(
        body_of(golden),
        attributes,
        collection=line["type"].removeprefix("azureml.inference."),
        event_id=line["id"],
        time_ns=int(seconds) * 1_000_000_000,
    )
    return request(one, resource_values=deployment_of(line["source"]))


def deployment_of(source: str) -> dict[str, object]:
    """The resource of the deployment that an ARM id names."""
    tenant = tenant_of(source)
    assert tenant is not None
    names = {semconv.AZUREML_ENDPOINT_NAME: tenant[0], semconv.AZUREML_DEPLOYMENT_NAME: tenant[1]}
    return {**names, semconv.CLOUD_RESOURCE_ID: source}


async def stored(folder: Path, *raw: bytes) -> list[bytes]:
    async with live_receiver(folder) as receiver:
        for one in raw:
            assert not (await receiver.export(one)).HasField("partial_success")
        return receiver.raw_lines()


async def stored_lines(folder: Path, *records: LogRecord) -> list[dict[str, Any]]:
    return [json.loads(line) for line in await stored(folder, request(*records))]


def text_at(path: str) -> str:
    return Path(path).read_text()


def bytes_at(path: Path) -> bytes:
    return path.read_bytes()


def check_cloud_event(line: bytes) -> None:
    """Check a line against the rules of CloudEvents 1.0 and its official library."""
    decoded = json.loads(line)
    SCHEMA.validate(decoded)
    parsed = JSONFormat().read(None, line)
    assert parsed.get_specversion() == "1.0"
    assert (parsed.get_id(), parsed.get_type()) == (decoded["id"], decoded["type"])
    assert parsed.get_time() == datetime.fromisoformat(decoded["time"])
    assert parsed.get_data() == decoded.get("data")


# --- Golden lines -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("golden", RECORDED, ids=range(len(RECORDED)))
# S57, S58, S59, S60, S66, S67
async def test_a_recorded_line_of_azures_collector_is_reproduced_exactly(tmp_path: Path, golden: bytes) -> None:
    (line,) = await stored(tmp_path, sent(golden))
    ours, theirs = json.loads(line), json.loads(golden)
    assert {key: ours[key] for key in theirs} == theirs
    assert set(ours) == KEYS | {"timens"} == set(theirs) | {"timens"}
    check_cloud_event(line)


@pytest.mark.parametrize("golden", [REQUEST, RESPONSE, INPUTS, TWO_ROWS], ids=["request", "response", "inputs", "rows"])
async def test_a_documented_line_is_reproduced_exactly(tmp_path: Path, golden: bytes) -> None:
    (line,) = await stored(tmp_path, sent(golden))
    ours, theirs = json.loads(line), json.loads(golden)
    size = len(body_of(golden).encode())
    # The documentation shows one body without its spaces and shortens another one.
    total = "*" if theirs["contentrange"].endswith("/*") else size
    theirs["contentrange"] = f"bytes 0-{size - 1}/{total}"
    assert {key: ours[key] for key in theirs} == theirs
    assert set(ours) <= KEYS | OWN_KEYS | {"path", "method"}
    check_cloud_event(line)


async def test_the_documented_binary_request_is_reproduced_except_for_its_object_name(tmp_path: Path) -> None:
    """S70, S71: 80,771 bytes that are not text but declared as text; see `cloudevent.binary_object_name`."""
    golden = json.loads(BINARY)
    raw = b"\xff" * 80_771
    path, _, query = golden["path"].partition("?")
    values = {semconv.AZUREML_DATA_CONTENT_TYPE: "text/plain", semconv.HTTP_REQUEST_METHOD: "POST"}
    values |= {semconv.URL_PATH: path, semconv.URL_QUERY: query}
    one = record(raw, values, collection="request", event_id=golden["id"], time_ns=NOON)
    (line,) = await stored(tmp_path, request(one, resource_values=deployment_of(golden["source"])))
    ours = json.loads(line)
    theirs = golden | {"time": ours["time"], "data": ours["data"]}
    assert {key: ours[key] for key in theirs} == theirs
    assert bytes_at(Path(ours["data"])) == raw
    check_cloud_event(line)


async def test_contentrange_of_the_documented_inputs_is_the_size_of_their_text(tmp_path: Path) -> None:
    (line,) = await stored(tmp_path, sent(INPUTS))
    assert json.loads(line)["contentrange"] == json.loads(INPUTS)["contentrange"] == "bytes 0-116/117"


async def test_contentrange_includes_the_last_line_break_of_the_body(tmp_path: Path) -> None:
    # 38 bytes of JSON are documented as 39: Flask ends a JSON response with a line break.
    (line,) = await stored_lines(tmp_path, record(body_of(RESPONSE) + "\n", collection="response"))
    assert line["contentrange"] == json.loads(RESPONSE)["contentrange"] == "bytes 0-38/39"
    assert line["data"] == json.loads(RESPONSE)["data"]


@pytest.mark.parametrize("golden", RECORDED, ids=range(len(RECORDED)))
def test_contentrange_of_recorded_lines_counts_the_bytes_of_the_body_before_escaping(golden: bytes) -> None:
    size = len(body_of(golden).encode())
    assert json.loads(golden)["contentrange"] == f"bytes 0-{size - 1}/{size}"


# S53, S55
async def test_recorded_files_have_the_same_folder_and_name_pattern_as_the_receivers(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        await receiver.export(sent(RECORDED[0]))
        (blob,) = receiver.blobs()
    folder, _, name = blob.rpartition("/")
    theirs = RECORDED_FILE.relative_to(DATA / "azure-recorded")
    tenant = "/".join(tenant_of(json.loads(RECORDED[0])["source"]) or ())
    assert folder == f"{tenant}/model_inputs/{theirs.parent.as_posix()}"
    for one in (name, theirs.name):
        assert re.fullmatch(r"[0-9a-f]{32}[0-9]{6}\.jsonl", one)


# --- Lines ------------------------------------------------------------------------------------------------------


async def test_the_first_seven_keys_are_in_azures_order(tmp_path: Path) -> None:
    (line,) = await stored_lines(tmp_path, record())
    assert list(line)[:7] == FIRST_SEVEN


async def test_all_lines_of_a_tabular_collection_have_the_thirteen_keys(tmp_path: Path) -> None:
    full = dict.fromkeys((semconv.AZUREML_CORRELATION_ID, semconv.AZUREML_REQUEST_ID, semconv.AZUREML_AGENT), "x")
    full |= {semconv.AZUREML_DATA_TYPE: "numpy.ndarray", semconv.AZUREML_MODEL_VERSION: "2"}
    for line in await stored_lines(tmp_path, record(), record(attributes=full), record([{"a": 1}])):
        assert set(line) - OWN_KEYS == KEYS


async def test_every_value_but_data_is_a_string(tmp_path: Path) -> None:
    attributes = {semconv.AZUREML_PRODUCER_SEQUENCE: 1, semconv.AZUREML_SAMPLING_RATE: 0.5}
    attributes |= {semconv.AZUREML_CORRELATION_ID: 123, "cloudevents.extension.attempt": 2}
    (line,) = await stored_lines(tmp_path, record(attributes=attributes))
    assert {key for key, value in line.items() if not isinstance(value, str)} == {"data"}
    assert (line["correlationid"], line["producersequence"], line["samplingrate"], line["attempt"]) == (
        "123",
        "1",
        "0.5",
        "2",
    )


# S54, S74
async def test_one_record_is_one_line_that_ends_with_lf_and_has_no_other_line_break(tmp_path: Path) -> None:
    pretty = json.dumps([{"a": "x\r\ny"}], indent=2).replace("\n", "\r\n")
    async with live_receiver(tmp_path) as receiver:
        await receiver.export(request(record(event_id="1"), record(pretty, event_id="2"), record(event_id="3")))
        (blob,) = receiver.blobs()
    content = bytes_at(tmp_path / blob)
    assert (content.count(b"\n"), content.endswith(b"\n"), b"\r" in content) == (3, True, False)
    assert [json.loads(line)["id"] for line in content.splitlines()] == ["1", "2", "3"]


async def test_a_blob_never_begins_with_a_byte_order_mark(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        await receiver.export(request(record("\ufeff" + ROWS), record()))
        (line,) = receiver.raw_lines()
    assert line.startswith(b'{"specversion":"1.0",')


# S62
async def test_data_is_an_array_of_objects_in_every_line_of_a_tabular_collection(tmp_path: Path) -> None:
    bodies = ["[]", "{}", "1", "null", '"x"', "[1]", "[[]]", "[null]", ROWS, [{"a": 1}], {"a": 1}, ["x"], b"[{}]", None]
    async with live_receiver(tmp_path) as receiver:
        await receiver.export(request(*(record(body) for body in bodies)))
        data = [line["data"] for line in receiver.lines()]
    assert data == [[], [{}], json.loads(ROWS), [{"a": 1}], [{"a": 1}], [{}]]


# S68
async def test_contentrange_counts_bytes_and_not_characters(tmp_path: Path) -> None:
    (line,) = await stored_lines(tmp_path, record('[{"a":"é"}]'))
    assert line["contentrange"] == "bytes 0-11/12"


async def test_the_rows_keep_their_order_and_number(tmp_path: Path) -> None:
    rows = [{"row": number} for number in range(50)]
    for line in await stored_lines(tmp_path, record(rows), record(rows, collection="model_outputs")):
        assert line["data"] == rows


# S63
async def test_every_line_has_a_correlation_id_of_its_own(tmp_path: Path) -> None:
    empty = {semconv.AZUREML_CORRELATION_ID: ""}
    lines = await stored_lines(tmp_path, record(), record(), record(attributes=empty), record(attributes=empty))
    assert len({line["correlationid"] for line in lines} - {""}) == 4


# S64
async def test_the_request_id_equals_the_correlation_id_unless_the_request_has_its_own(tmp_path: Path) -> None:
    given = {semconv.AZUREML_CORRELATION_ID: "c", semconv.AZUREML_REQUEST_ID: "r"}
    first, second = await stored_lines(tmp_path, record(), record(attributes=given))
    assert first["xrequestid"] == first["correlationid"]
    assert (second["correlationid"], second["xrequestid"]) == ("c", "r")


async def test_no_key_equals_another_one_up_to_case(tmp_path: Path) -> None:
    names = ["Data", "DATA", "dataref", "DataRef", "correlationId", "CORRELATIONID", "Time", "tenant", "Tenant"]
    one = record(attributes={f"cloudevents.extension.{name}": "x" for name in names})
    (line,) = await stored_lines(tmp_path, one)
    assert set(line) - KEYS - OWN_KEYS == {"tenant"}
    assert len({key.lower() for key in line}) == len(line)


@pytest.mark.parametrize(
    "one",
    [
        record(),
        record(trace_id=b"1" * 16, span_id=b"2" * 8, flags=1),
        record('{"any":["json"]}', collection="request"),
        record("plain", {semconv.AZUREML_DATA_CONTENT_TYPE: "text/plain"}, collection="response"),
        record('{"cut', {semconv.AZUREML_DATA_TOTAL_BYTES: 9}, collection="request"),
        record(b"\x89PNG", {semconv.AZUREML_DATA_CONTENT_TYPE: "image/png"}, collection="request"),
        record(event_id="ünï"),
        record([{"n": float("nan"), "b": b"\x00"}]),
        record(attributes={"cloudevents.extension.tenant": "ä"}),
        record([{"x": "a" * 5 * MIB}]),
    ],
    ids=["defaults", "in a span", "payload", "text", "cut", "binary", "id", "structured", "extension", "dataref"],
)
# S56
async def test_every_line_is_a_cloud_event(tmp_path: Path, one: LogRecord) -> None:
    (line,) = await stored(tmp_path, request(one, resource_values={semconv.CLOUD_RESOURCE_ID: "/a b/é"}))
    check_cloud_event(line)


# --- Folders and names ------------------------------------------------------------------------------------------


async def test_the_folder_is_the_hour_of_the_event_in_utc_with_leading_zeros(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 2, 3, 59, 59, tzinfo=UTC)
    time_ns = int(moment.timestamp()) * 1_000_000_000 + 999_999_999
    async with live_receiver(tmp_path) as receiver:
        await receiver.export(request(record(time_ns=time_ns), record(time_ns=time_ns + 1)))
        folders = [blob.rpartition("/")[0] for blob in receiver.blobs()]
        times = [line["time"] for line in receiver.lines()]
    assert folders == ["credit/blue/model_inputs/2026/01/02/03", "credit/blue/model_inputs/2026/01/02/04"]
    assert times == ["2026-01-02T03:59:59Z", "2026-01-02T04:00:00Z"]


async def test_readers_find_lines_of_the_collection_only_in_its_hour_folders(tmp_path: Path) -> None:
    large, bad = record([{"x": "a" * 5 * MIB}], time_ns=NOON), record("no json", time_ns=NOON)
    async with live_receiver(tmp_path) as receiver:
        await receiver.export(request(record(time_ns=NOON), large, bad))
        blobs = receiver.blobs()
    hour = "credit/blue/model_inputs/2026/11/22/12"
    read = [blob for blob in blobs if re.fullmatch(rf"{hour}/[^/]*\.jsonl", blob)]
    assert len(read) == 1
    others = sorted(set(blobs) - set(read))
    assert [bool(re.fullmatch(rf"{hour}/files/[A-Za-z0-9-]+\.json", blob)) for blob in others] == [False, True]
    assert others[0].startswith("_quarantine/")
    for name in (blob.rpartition("/")[2] for blob in read):
        assert re.fullmatch(r"[0-9a-f]{32}[0-9]{6}\.jsonl", name)  # no ':', and no '_' or '.' in front


async def test_payloads_have_folders_of_their_own(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        await receiver.export(
            request(*(record("1", collection=name, time_ns=NOON) for name in ("request", "response")))
        )
        folders = [blob.rpartition("/")[0] for blob in receiver.blobs()]
    assert folders == [f"credit/blue/{name}/2026/11/22/12" for name in ("request", "response")]


async def test_no_blob_has_the_name_of_the_copy_that_azure_reads_instead_of_a_collection(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        answer = await receiver.export(request(record(collection="model_inputs_block_blob"), record()))
        assert answer.partial_success.rejected_log_records == 1
        assert not any("_block_blob" in blob for blob in receiver.blobs())


# S69
async def test_large_rows_are_an_array_at_a_url_that_needs_no_decoding(tmp_path: Path) -> None:
    text = json.dumps([{"x": "a" * 5 * MIB}])
    (line,) = await stored_lines(tmp_path, record(text, event_id="a b/%2e?#"))
    assert "data" not in line
    assert not re.search(r"[%?#\s]", line["dataref"].removeprefix(str(tmp_path)))
    assert text_at(line["dataref"]) == text
    assert set(line) == (KEYS - {"data"}) | {"dataref", "timens"}


async def test_azures_reader_finds_large_rows_in_a_folder_with_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a store, é#%20?"
    rows = [{"x": "a" * 5 * MIB}]
    await stored(folder, request(record(rows, event_id="large", time_ns=NOON), record(event_id="2", time_ns=NOON)))
    assert rows_below(folder / "credit/blue/model_inputs") == [*json.loads(ROWS), *rows]


async def test_a_large_single_object_is_an_array_at_its_url_too(tmp_path: Path) -> None:
    row = {"x": "a" * 5 * MIB}
    (line,) = await stored_lines(tmp_path, record(json.dumps(row)))
    assert json.loads(text_at(line["dataref"])) == [row]
