"""grpcio as the server of our client: prints its port, and then what it sees of each call, as JSON lines.

Messages are bytes, written by hand, so that no generated code is needed: `Ask.what` and `Answer.said` are field 1.
"""

import json
import sys
import threading
from concurrent import futures

import grpc

PATIENCE = 60


def tell(**what):
    print(json.dumps(what), flush=True)


def answer(said):
    text = said.encode()
    return bytes([10, len(text)]) + text if text else b""


def what(ask):
    return ask[2 : 2 + ask[1]].decode() if ask[:1] == b"\n" else ""


def begin(method, context):
    """Tells that a call began; gives the event of its end, which is told as well."""
    left = context.time_remaining()
    over = threading.Event()

    def ended():
        tell(over=method)
        over.set()

    if not context.add_callback(ended):
        over.set()
    metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
    tell(begun=method, left=left, metadata=metadata)
    return over


def unary(ask, context):
    over = begin("unary", context)
    match what(ask):
        case "wait":
            over.wait(PATIENCE)
        case "refuse":
            context.set_trailing_metadata((("why", "full"),))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more room")
        case "late":
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "it took too long here")
        case other:
            return answer(other)
    return b""


def count(_, context):
    over = begin("count", context)
    while not over.wait(0.05):
        yield answer("again")


def add(asks, context):
    begin("sum", context)
    return answer(str(sum(1 for _ in asks)))


def talk(asks, context):
    begin("talk", context)
    for ask in asks:
        yield answer(what(ask))


METHODS = {
    "/probe.Probe/Unary": grpc.unary_unary_rpc_method_handler(unary),
    "/probe.Probe/Count": grpc.unary_stream_rpc_method_handler(count),
    "/probe.Probe/Sum": grpc.stream_unary_rpc_method_handler(add),
    "/probe.Probe/Talk": grpc.stream_stream_rpc_method_handler(talk),
}


class Probe(grpc.GenericRpcHandler):
    def service(self, details):
        return METHODS.get(details.method)


server = grpc.server(futures.ThreadPoolExecutor(16))
server.add_generic_rpc_handlers((Probe(),))
tell(port=server.add_insecure_port("127.0.0.1:0"))
server.start()
# Until whoever started it closes our standard input.
sys.stdin.read()
server.stop(None)
