"""Compares an answer with the service model that ships in botocore.

A client's parsed answer proves little: botocore drops every member that its model does not know. So this module
checks the bytes on the wire, member by member, and error codes against the lists that the model gives for each
operation.
"""

import base64
import binascii
import functools
import json
import re
from xml.etree import ElementTree

import botocore.session

# Times outside of this range are mistakes, mostly of the unit.
EPOCH_SECONDS_MIN = 1_400_000_000  # May 2014, before Amazon ECS existed
EPOCH_SECONDS_MAX = 4_102_444_800  # the year 2100

# For each service, the error codes that every operation may return in addition to its own list, with their HTTP
# status: from "Common Error Types" in AWS's API references, "Common Errors" in older ones. Codes that the simulator
# never returns (signatures, tokens) are omitted, so that the checker would find them.
JSON_COMMON = {
    "RequestEntityTooLargeException": 413,
    "ThrottlingException": 400,
    "UnknownOperationException": 404,
    # Not documented by these services. AWS's JSON services return it for a body with wrong types, according to many
    # user reports.
    "SerializationException": 400,
}
QUERY_COMMON = {"InvalidAction": 400, "MissingAction": 400, "MissingParameter": 400, "InvalidParameterValue": 400}
COMMON = {
    "ecs": JSON_COMMON,
    "application-autoscaling": JSON_COMMON,
    "sqs": JSON_COMMON | QUERY_COMMON,
    "sns": QUERY_COMMON,
}

# Error details from AWS's pages that the model omits.
HTTP_STATUS_OF_FAULTS = 500
FAULTS = {"ServerException", "InternalServiceException"}


@functools.cache
def service_model(service):
    return botocore.session.get_session().get_service_model(service)


def problems_of(exchange):
    """Returns every deviation of an answer from the model, each as a sentence. An empty list means a valid answer."""
    model = service_model(exchange.service)
    found = list(_problems_of_head(exchange, model))
    try:
        if exchange.operation not in model.operation_names:
            found += _problems_of_unknown_operation(exchange)
        elif model.metadata["protocol"] == "json":
            found += _problems_of_json(exchange, model.operation_model(exchange.operation))
        else:
            found += _problems_of_xml(exchange, model.operation_model(exchange.operation))
    except (json.JSONDecodeError, ElementTree.ParseError, UnicodeDecodeError) as error:
        found.append(f"the body cannot be read: {error}")
    return [f"{exchange.service} {exchange.operation}: {problem}" for problem in found]


def _problems_of_head(exchange, model):
    kind = "text/xml"
    if model.metadata["protocol"] == "json":
        kind = f"application/x-amz-json-{model.metadata['jsonVersion']}"
    if exchange.headers.get("content-type") != kind:
        yield f"the content type is {exchange.headers.get('content-type')} and not {kind}"
    if not exchange.headers.get("x-amzn-requestid"):
        yield "it carries no request id"


def _problems_of_unknown_operation(exchange):
    code = exchange.error_code
    wanted = "InvalidAction" if exchange.service == "sns" else "UnknownOperationException"
    if code != wanted or exchange.status != COMMON[exchange.service][wanted]:
        yield f"it is not in the model, and answered with {exchange.status} {code}"


def _problems_of_json(exchange, operation):
    if exchange.status >= 400:
        yield from _problems_of_error(exchange, operation)
        body = json.loads(exchange.body)
        code = body.get("__type", "").rpartition("#")[2]
        shape = next((shape for shape in operation.error_shapes if shape.name == code), None)
        # AWS sends a message whether or not the error's shape has one.
        members = {"__type", "message"} | set(shape.members if shape else ())
        yield from (f"the error has the invented member {name}" for name in sorted(set(body) - members))
        if not isinstance(body.get("message"), str):
            yield "the error has no message"
        if exchange.headers.get("x-amzn-errortype") != code:
            yield f"the header says {exchange.headers.get('x-amzn-errortype')} and the body {code}"
        yield from _problems_of_query_error(exchange, operation)
    elif operation.output_shape is None:
        # "AWS JSON 1.1 protocol", Smithy: clients accept an empty object too.
        if exchange.body not in (b"", b"{}"):
            yield "it has a body, and the operation no output"
    else:
        yield from _problems_of_value(json.loads(exchange.body), operation.output_shape, "output")


def _problems_of_query_error(exchange, operation):
    """A service that used the query protocol before names the older code in a header ("awsQueryCompatible trait",
    Smithy).
    """
    if "awsQueryCompatible" not in operation.service_model.metadata:
        return
    header = exchange.headers.get("x-amzn-query-error", "")
    if not re.fullmatch(r"[A-Za-z.]+;(Sender|Receiver)", header):
        yield f"x-amzn-query-error is `{header}`"


def _problems_of_error(exchange, operation):
    code = exchange.error_code
    named = {(shape.metadata.get("error") or {}).get("code", shape.name): shape for shape in operation.error_shapes}
    if code in named:
        declared = (named[code].metadata.get("error") or {}).get("httpStatusCode")
        wanted = declared or (HTTP_STATUS_OF_FAULTS if code in FAULTS else 400)
    elif code in COMMON[exchange.service]:
        wanted = COMMON[exchange.service][code]
    else:
        yield f"{code} is none of its errors"
        return
    if exchange.status != wanted:
        yield f"{code} came with HTTP {exchange.status} and not {wanted}"


def _problems_of_value(value, shape, path):
    """Checks every type of the JSON protocols ("Shape serialization", Smithy's page on AWS JSON 1.1)."""
    kind = shape.type_name
    if kind == "structure":
        yield from _problems_of_structure(value, shape, path)
    elif kind == "list":
        if not isinstance(value, list):
            yield f"{path} is no list: {value!r}"
            return
        for at, item in enumerate(value):
            yield from _problems_of_value(item, shape.member, f"{path}[{at}]")
    elif kind == "map":
        if not isinstance(value, dict):
            yield f"{path} is no map: {value!r}"
            return
        for key, item in value.items():
            yield from _problems_of_value(key, shape.key, f"{path} key {key}")
            yield from _problems_of_value(item, shape.value, f"{path}[{key}]")
    elif not _is_scalar(value, shape):
        yield f"{path} is no {kind}: {value!r}"
    elif kind == "string" and shape.enum and value not in shape.enum:
        yield f"{path} is {value}, which is none of {', '.join(shape.enum)}"


def _problems_of_structure(value, shape, path):
    if getattr(shape, "is_document_type", False):  # any JSON
        return
    if not isinstance(value, dict):
        yield f"{path} is no structure: {value!r}"
        return
    members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
    for name, item in value.items():
        if name not in members:
            yield f"{path}.{name} is invented"
        else:
            yield from _problems_of_value(item, members[name], f"{path}.{name}")
    for name in shape.required_members:
        if shape.members[name].serialization.get("name", name) not in value:
            yield f"{path}.{name} is missing"


def _is_scalar(value, shape):
    kind = shape.type_name
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "timestamp":
        assert shape.serialization.get("timestampFormat", "unixTimestamp") == "unixTimestamp", "no other is used here"
        return is_number and EPOCH_SECONDS_MIN <= value <= EPOCH_SECONDS_MAX
    if kind in ("integer", "long"):
        return is_number and isinstance(value, int)
    if kind in ("float", "double"):
        return is_number
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "blob":
        return isinstance(value, str) and _is_base64(value)
    assert kind in ("string", "character"), f"{kind} is not known here"
    return isinstance(value, str)


def _is_base64(text):
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


def _problems_of_xml(exchange, operation):
    namespace = operation.metadata["xmlNamespace"]
    root = ElementTree.fromstring(exchange.body)
    outside = {element.tag for element in root.iter() if not element.tag.startswith(f"{{{namespace}}}")}
    if outside:
        yield f"elements outside of {namespace}: {', '.join(sorted(outside))}"
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if exchange.status >= 400:
        yield from _problems_of_error(exchange, operation)
        elements = [[element.tag for element in parent] for parent in (root, *root.findall("Error"))]
        if root.tag != "ErrorResponse" or elements != [["Error", "RequestId"], ["Type", "Code", "Message"]]:
            yield f"the error is built of {root.tag} {elements}"
        return
    result, metadata = f"{operation.name}Result", "ResponseMetadata"
    if root.tag != f"{operation.name}Response" or [element.tag for element in root] != [result, metadata]:
        yield f"the answer is built of {root.tag} {[element.tag for element in root]}"
        return
    assert operation.output_shape.serialization["resultWrapper"] == result, "as the model names it"
    yield from _problems_of_value(_plain(root.find(result), operation.output_shape), operation.output_shape, "output")


def _plain(element, shape):
    """Converts an XML element to JSON terms. Text that does not fit its shape stays text and is then reported as a
    problem.
    """
    if shape is None:
        return element.text or ""
    if shape.type_name == "structure":
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        return {child.tag: _plain(child, members.get(child.tag)) for child in element}
    if shape.type_name == "list":
        assert not shape.serialization.get("flattened"), "no such list is known here"
        item = shape.member.serialization.get("name", "member")
        strays = [child.tag for child in element if child.tag != item]
        return f"a list of {strays}" if strays else [_plain(child, shape.member) for child in element]
    text = element.text or ""
    if shape.type_name == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if shape.type_name in ("integer", "long"):
        return int(text) if re.fullmatch(r"-?\d+", text) else text
    return text
