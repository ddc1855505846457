"""Waits until all services tell that they are STATUS, by Watch. SOCKET STATUS are its arguments."""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

channel = grpc.insecure_channel(f"unix:{sys.argv[1]}", options=[("grpc.default_authority", "localhost")])
health = health_pb2_grpc.HealthStub(channel)
wanted = health_pb2.HealthCheckResponse.ServingStatus.Value(sys.argv[2])
for service in ["", "netlab.v1.LabService", "netlab.v1.NodeService", "netlab.v1.HostService"]:
    for answer in health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=60):
        if answer.status == wanted:
            break
    seen = health.Check(health_pb2.HealthCheckRequest(service=service))
    assert seen.status == wanted, f"{service}: {seen}"
