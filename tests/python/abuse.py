"""Calls netlabd as no client should: wrong types, unknown fields, far too much. SOCKET is its argument.

netlabd must answer each with an error that fits, and be as well afterwards as it was before.
"""

import random
import sys

import grpc
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from google.protobuf.descriptor_pool import DescriptorPool
from netlab.v1 import lab_pb2, lab_service_pb2, lab_service_pb2_grpc, node_service_pb2, node_service_pb2_grpc

Code = grpc.StatusCode
OPTIONS = [("grpc.default_authority", "localhost"), ("grpc.max_send_message_length", -1)]
LAB = {
    "name": "abused",
    "nodes": {"ns1": {"interfaces": {"eth0": {"addresses": ["192.0.2.1/24"]}}}, "ns2": {}},
    "links": [{"endpoints": ["ns1:eth0", "ns2:eth0"]}],
}

channel = grpc.insecure_channel(f"unix:{sys.argv[1]}", options=OPTIONS)
labs = lab_service_pb2_grpc.LabServiceStub(channel)
nodes = node_service_pb2_grpc.NodeServiceStub(channel)


def fails(call, *codes):
    """Fails unless a call ends with one of these codes; gives the error."""
    try:
        answer = call()
        seen = list(answer) if hasattr(answer, "__next__") else answer
    except grpc.RpcError as error:
        assert error.code() in codes, f"{error.code()} ({error.details()}), expected {codes}"
        return error
    raise AssertionError(f"answered {seen!r}, expected {codes}")


def raw(method, stream=False):
    """A method that takes and gives bytes as they are."""
    make = channel.unary_stream if stream else channel.unary_unary
    return make(method, request_serializer=bytes, response_deserializer=bytes)


def field(number, kind, payload):
    """One field on the wire."""
    key, out = number << 3 | kind, bytearray()
    for value in [key] + ([len(payload)] if kind == 2 else []):
        while value > 127:
            out.append(value & 127 | 128)
            value >>= 7
        out.append(value)
    return bytes(out) + payload


def unknown_fields():
    """A client newer than netlabd: what netlabd does not know is left out, at every level."""
    lab = json_format.ParseDict(LAB, lab_pb2.Lab()).SerializeToString()
    node = field(1, 2, b"ns3") + field(2, 2, field(3, 0, b"\x01") + field(4321, 2, b"future"))
    lab += field(3, 2, node) + field(1000, 2, b"from the future") + field(1001, 0, b"\x01")
    request = field(1, 2, lab) + field(2000, 5, b"1234") + field(2001, 1, b"12345678")
    answer = lab_service_pb2.CreateLabResponse.FromString(raw("/netlab.v1.LabService/CreateLab")(request))
    assert sorted(answer.lab.spec.nodes) == ["ns1", "ns2", "ns3"] and answer.lab.spec.nodes["ns3"].forwarding
    assert b"future" not in answer.SerializeToString()


def wrong_types():
    create = raw("/netlab.v1.LabService/CreateLab")
    for wrong in [
        field(1, 0, b"\x07"),  # a number where a message belongs
        field(1, 2, field(1, 0, b"\x07")),  # a number where a name belongs
        field(1, 2, field(1, 2, b"\xff\xfe")),  # not UTF-8
        field(1, 2, b"\x0a\xff\xff\xff\xff\x0f"),  # longer than the message
        b"\xff" * 64,
        field(1, 3, b""),  # a group that never ends
    ]:
        fails(lambda wrong=wrong: create(wrong), Code.INTERNAL, Code.INVALID_ARGUMENT)
    fails(lambda: create(b""), Code.INVALID_ARGUMENT)
    fails(lambda: create(field(1, 2, b"")), Code.INVALID_ARGUMENT)
    exec_request = node_service_pb2.ExecRequest
    fails(lambda: nodes.Exec(iter([])), Code.INVALID_ARGUMENT)
    fails(lambda: nodes.Exec(iter([exec_request(stdin=b"x")])), Code.INVALID_ARGUMENT)
    fails(lambda: nodes.Exec(iter([exec_request()])), Code.INVALID_ARGUMENT)
    for path in ["/netlab.v1.LabService/NoSuchMethod", "/netlab.v2.LabService/GetLab"]:
        error = fails(lambda path=path: raw(path)(b""), Code.UNIMPLEMENTED)
        seen = dict(list(error.initial_metadata()) + list(error.trailing_metadata()))
        assert seen["netlab-version"] and int(seen["netlab-api-revision"]) > 1, seen
    # A stream is asked for one answer.
    fails(lambda: raw("/netlab.v1.LabService/WatchLab")(field(1, 2, b"nothing")), Code.NOT_FOUND)


def far_too_much():
    lab = json_format.ParseDict(LAB, lab_pb2.Lab())
    lab.name, lab.description = "huge", "x" * 5_000
    create = lambda: labs.CreateLab(lab_service_pb2.CreateLabRequest(lab=lab))
    error = fails(create, Code.INVALID_ARGUMENT)
    assert "description" in error.details(), error.details()
    lab.description = "x" * (17 << 20)
    fails(create, Code.OUT_OF_RANGE, Code.RESOURCE_EXHAUSTED)
    lab.description = ""
    lab.links.extend(lab_pb2.Link(endpoints=["ns1:eth0", "ns2:eth0"]) for _ in range(200_000))
    fails(create, Code.INVALID_ARGUMENT)
    metadata = [("x-long", "y" * 100_000)]
    request = lab_service_pb2.ListLabsRequest()
    fails(lambda: labs.ListLabs(request, metadata=metadata), *Code)
    many = [labs.ListLabs.future(request) for _ in range(1_000)]
    assert all(call.result().labs[0].name == "abused" for call in many)


def noise():
    """Every method that reflection tells of, with bytes that mean nothing or something else."""
    chance = random.Random(6)
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    tried = 0
    for service in database.get_services():
        for method in pool.FindServiceByName(service).methods:
            path = f"/{service}/{method.name}"
            for _ in range(20):
                request = chance.randbytes(chance.randrange(40))
                call = raw(path, stream=True)(request, timeout=5)
                try:
                    # One answer is enough: watches have no end.
                    next(call, None)
                except grpc.RpcError as error:
                    assert error.code() not in (Code.UNAVAILABLE, Code.UNKNOWN), f"{path}: {error}"
                    assert "crash" not in (error.details() or ""), f"{path}: {error}"
                call.cancel()
                tried += 1
    assert tried > 300, tried


def well():
    health = health_pb2_grpc.HealthStub(channel)
    for service in ["", "netlab.v1.LabService", "netlab.v1.NodeService", "netlab.v1.HostService"]:
        answer = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, f"{service}: {answer}"
    nothing = health_pb2.HealthCheckRequest(service="netlab.v1.Nothing")
    fails(lambda: health.Check(nothing), Code.NOT_FOUND)
    fails(lambda: health.Watch(nothing), Code.NOT_FOUND)


for step in [well, unknown_fields, wrong_types, far_too_much, noise, well]:
    step()
labs.DeleteLab(lab_service_pb2.DeleteLabRequest(name="abused"))
print("all refused, and well")
