"""grpcio as a client of the health service that `grpc-target` serves: prints what came as a JSON line."""

import json
import sys

import grpc

SERVING = b"\x08\x01"

channel = grpc.insecure_channel(sys.argv[1])
check = channel.unary_unary("/grpc.health.v1.Health/Check")
watch = channel.unary_stream("/grpc.health.v1.Health/Watch")


def late(call):
    came = 0
    try:
        for _ in call:
            came += 1
    except grpc.RpcError as error:
        return [came, error.code().name]
    return [came, "OK"]


def checked(timeout):
    try:
        return check(b"", timeout=timeout) == SERVING
    except grpc.RpcError as error:
        return error.code().name


told = {
    "check": checked(30),
    "late": checked(0.3),
    "watch": late(watch(b"")),
    "watch late": late(watch(b"", timeout=1)),
}
print(json.dumps(told), flush=True)
