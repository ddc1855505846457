"""Calls what follows labs, and what keeps a request to the lab that it is meant for. SOCKET is its argument."""

import sys
import threading

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from netlab.v1 import lab_pb2, lab_service_pb2 as pb, lab_service_pb2_grpc, status_pb2

Code = grpc.StatusCode
channel = grpc.insecure_channel(f"unix:{sys.argv[1]}", options=[("grpc.default_authority", "localhost")])
labs = lab_service_pb2_grpc.LabServiceStub(channel)
TIME = 60


def spec(name):
    """A lab of one node."""
    return json_format.ParseDict({"name": name, "nodes": {"a": {}}}, lab_pb2.Lab())


def fails(call, request, code, reason, **metadata):
    """Fails unless a call is refused so, and names these things."""
    try:
        answer = call(request, timeout=TIME)
    except grpc.RpcError as error:
        infos = [error_details_pb2.ErrorInfo.FromString(d.value) for d in rpc_status.from_call(error).details
                 if d.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
        assert error.code() == code and infos[0].reason == reason, (error.code(), infos, error.details())
        for key, value in metadata.items():
            assert infos[0].metadata[key] == value, (key, infos[0].metadata)
        for word in ["netlabctl", "apply-lab", "get-lab", "watch-lab", "delete-lab"]:
            assert word not in error.details(), error.details()
        return
    raise AssertionError(f"answered {answer!r}, expected {reason}")


def waits():
    """WaitLab: ready, too early, gone."""
    fails(labs.WaitLab, pb.WaitLabRequest(name="w"), Code.NOT_FOUND, "LAB_NOT_FOUND", lab="w")
    gone = pb.WaitLabRequest(name="w", goal=pb.WaitLabRequest.GOAL_DELETED)
    assert not labs.WaitLab(gone, timeout=TIME).HasField("lab")
    labs.CreateLab(pb.CreateLabRequest(lab=spec("w")), timeout=TIME)
    ready = labs.WaitLab(pb.WaitLabRequest(name="w", generation=1), timeout=TIME).lab
    assert ready.status.phase == status_pb2.PHASE_READY, ready
    later = pb.WaitLabRequest(name="w", generation=9)
    later.timeout.FromMilliseconds(300)
    fails(labs.WaitLab, later, Code.DEADLINE_EXCEEDED, "STILL_WAITING", lab="w", phase="PHASE_READY")
    later.timeout.FromSeconds(101)
    fails(labs.WaitLab, later, Code.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    labs.DeleteLab(pb.DeleteLabRequest(name="w"), timeout=TIME)
    assert not labs.WaitLab(gone, timeout=TIME).HasField("lab")


def expectations():
    """Nothing is done to another lab than was meant."""
    create = pb.CreateLabRequest(lab=spec("e"), request_id="7d9f-1")
    made = labs.CreateLab(create, timeout=TIME).lab
    assert labs.CreateLab(create, timeout=TIME).lab.uid == made.uid
    fails(labs.CreateLab, pb.CreateLabRequest(lab=spec("e")), Code.ALREADY_EXISTS, "LAB_EXISTS", lab="e", own="true")
    fails(labs.CreateLab, pb.CreateLabRequest(lab=spec("f"), request_id="a b"), Code.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    calls = [(labs.DeleteLab, pb.DeleteLabRequest), (labs.PauseLab, pb.PauseLabRequest),
             (labs.ResumeLab, pb.ResumeLabRequest), (labs.ConfirmLab, pb.ConfirmLabRequest)]
    for call, request in calls:
        fails(call, request(name="e", expected_generation=5), Code.ABORTED, "STALE_GENERATION",
              lab="e", generation="1", expected_generation="5")
        fails(call, request(name="e", expected_uid="x"), Code.ABORTED, "OTHER_LAB", lab="e", uid=made.uid)
    apply = pb.ApplyLabRequest(lab=spec("e"), expected_uid="x")
    fails(labs.ApplyLab, apply, Code.ABORTED, "OTHER_LAB", lab="e")
    fails(labs.ConfirmLab, pb.ConfirmLabRequest(name="e"), Code.FAILED_PRECONDITION, "NOTHING_TO_CONFIRM", lab="e")
    delete = pb.DeleteLabRequest(name="e", allow_missing=True, expected_uid=made.uid)
    assert labs.DeleteLab(delete, timeout=TIME).lab.name == "e"
    labs.WaitLab(pb.WaitLabRequest(name="e", goal=pb.WaitLabRequest.GOAL_DELETED), timeout=TIME)
    assert not labs.DeleteLab(delete, timeout=TIME).HasField("lab")
    fails(labs.DeleteLab, pb.DeleteLabRequest(name="e"), Code.NOT_FOUND, "LAB_NOT_FOUND", lab="e")


def pages():
    """Page tokens are opaque, and sizes have a bound."""
    names = [f"p{number}" for number in range(5)]
    for name in names:
        labs.CreateLab(pb.CreateLabRequest(lab=spec(name)), timeout=TIME)
        labs.WaitLab(pb.WaitLabRequest(name=name), timeout=TIME)
    seen, token = [], ""
    while True:
        page = labs.ListLabs(pb.ListLabsRequest(page_size=2, page_token=token), timeout=TIME)
        seen += [lab.name for lab in page.labs]
        assert all(lab.node_count == 1 and not lab.HasField("spec") for lab in page.labs)
        token = page.next_page_token
        if not token:
            break
        assert token not in names, token
    assert seen == names, seen
    assert len(labs.ListLabs(pb.ListLabsRequest(page_size=5000), timeout=TIME).labs) == 5
    fails(labs.ListLabs, pb.ListLabsRequest(page_token="garbage"), Code.INVALID_ARGUMENT, "INVALID_ARGUMENT")


def watches():
    """All labs on one stream: what is there, what happens, and going on after the last message seen."""
    stream = labs.WatchLabs(pb.WatchLabsRequest(), timeout=TIME)
    assert next(stream).HasField("listing_begun")
    listed, message = [], next(stream)
    while message.HasField("lab_listed"):
        listed.append(message.lab)
        message = next(stream)
    assert listed == [f"p{number}" for number in range(5)] and message.HasField("listing_done"), listed
    token = message.resume_token
    threading.Timer(0.2, lambda: labs.DeleteLab(pb.DeleteLabRequest(name="p3"), timeout=TIME)).start()
    heard = 0
    for message in stream:
        assert message.lab == "p3", message
        heard += 1
        if message.event.HasField("deleted"):
            break
    stream.cancel()
    again = labs.WatchLabs(pb.WatchLabsRequest(resume_token=token), timeout=TIME)
    for _ in range(heard):
        message = next(again)
        assert message.lab == "p3" and message.HasField("event"), message
    assert message.event.HasField("deleted"), message
    again.cancel()
    # One of an earlier run of netlabd: the labs as they are.
    other = labs.WatchLabs(pb.WatchLabsRequest(resume_token="0" * 32), timeout=TIME)
    assert next(other).HasField("listing_begun")
    other.cancel()
    bad = pb.WatchLabsRequest(resume_token="garbage")
    fails(lambda request, timeout: list(labs.WatchLabs(request, timeout=timeout)), bad,
          Code.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    future = pb.WatchLabRequest(name="p1", after_sequence=999)
    fails(lambda request, timeout: list(labs.WatchLab(request, timeout=timeout)), future,
          Code.OUT_OF_RANGE, "HISTORY_GONE")


def falls_behind():
    """A reader that is too slow for what is kept hears of all labs again, and misses nothing after that."""
    options = [("grpc.default_authority", "localhost"), ("grpc.use_local_subchannel_pool", 1),
               ("grpc.http2.bdp_probe", 0)]
    with grpc.insecure_channel(f"unix:{sys.argv[1]}", options=options) as slow:
        stream = lab_service_pb2_grpc.LabServiceStub(slow).WatchLabs(pb.WatchLabsRequest(), timeout=10 * TIME)
        while not next(stream).HasField("listing_done"):
            pass
        # It reads on only when all of this has happened: more than is kept and on its way.
        for _ in range(56):
            calls = [labs.PauseLab.future(pb.PauseLabRequest(name="p1"), timeout=TIME) for _ in range(64)]
            for call in calls:
                call.result()
        heard, listed = [], []
        for message in stream:
            if message.HasField("event"):
                heard.append(message.event.sequence)
            elif message.HasField("lab_listed"):
                listed.append(message.lab)
            elif message.HasField("listing_done"):
                break
        assert 0 < len(heard) < 56 * 64, f"{len(heard)} events before the labs were listed again"
        assert heard == list(range(heard[0], heard[0] + len(heard))), "none was left out before"
        there = [lab.name for lab in labs.ListLabs(pb.ListLabsRequest(), timeout=TIME).labs]
        assert sorted(listed) == sorted(there), listed
        labs.DeleteLab(pb.DeleteLabRequest(name="p1"), timeout=TIME)
        assert any(message.event.HasField("deleted") for message in stream if message.lab == "p1")
        stream.cancel()


for check in [waits, expectations, pages, watches, falls_behind]:
    check()
for lab in labs.ListLabs(pb.ListLabsRequest(), timeout=TIME).labs:
    labs.DeleteLab(pb.DeleteLabRequest(name=lab.name), timeout=TIME)
print("all as documented")
