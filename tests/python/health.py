"""Watches the health of all services until netlabd stops. SOCKET is its argument.

Says `watching` once all of them serve, and ends well if each then tells that it does not any more.
"""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

Status = health_pb2.HealthCheckResponse
SERVICES = ["", "netlab.v1.LabService", "netlab.v1.NodeService", "netlab.v1.HostService"]

channel = grpc.insecure_channel(f"unix:{sys.argv[1]}", options=[("grpc.default_authority", "localhost")])
health = health_pb2_grpc.HealthStub(channel)
requests = [health_pb2.HealthCheckRequest(service=service) for service in SERVICES]
assert all(health.Check(request).status == Status.SERVING for request in requests)
watches = [health.Watch(request, timeout=90) for request in requests]
assert all(next(watch).status == Status.SERVING for watch in watches)
print("watching", flush=True)
for service, watch in zip(SERVICES, watches):
    answer = next(watch)
    assert answer.status == Status.NOT_SERVING, f"{service}: {answer}"
