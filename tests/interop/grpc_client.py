"""grpcio as the client of our server: plays each scene, and prints what came of it as a JSON line.

Messages are bytes, written by hand, so that no generated code is needed: `Ask.what` and `Answer.said` are field 1.
"""

import json
import sys
import threading

import grpc

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

# A read or a call that has no deadline of its own ends by this, rather than never.
PATIENCE = 60


def tell(scene, **what):
    print(json.dumps({"scene": scene, **what}), flush=True)


def ask(what=""):
    text = what.encode()
    return bytes([10, len(text)]) + text if text else b""


def said(answer):
    return answer[2 : 2 + answer[1]].decode() if answer[:1] == b"\n" else ""


def code(error):
    return error.code().name


def trailer(error, key):
    return dict(error.trailing_metadata() or ()).get(key)


def main(address):
    channel = grpc.insecure_channel(address)
    unary = channel.unary_unary("/probe.Probe/Unary")
    count = channel.unary_stream("/probe.Probe/Count")
    add = channel.stream_unary("/probe.Probe/Sum")
    talk = channel.stream_stream("/probe.Probe/Talk")

    metadata = (
        ("traceparent", PARENT),
        ("baggage", "tenant=acme"),
        ("bytes-bin", bytes([0, 1, 254, 255])),
        ("grpc-reserved", "kept by the transport"),
    )
    answer, call = unary.with_call(ask("tell"), timeout=5, metadata=metadata)
    initial = dict(call.initial_metadata())
    tell("metadata", said=said(answer), back=list(initial.get("bytes-bin", b"")))

    try:
        unary(ask("pend"), timeout=0.25)
    except grpc.RpcError as error:
        tell("deadline", code=code(error))

    # The server gives it a part of the time only.
    try:
        unary(ask("wait at most"), timeout=PATIENCE)
    except grpc.RpcError as error:
        tell("theirs", code=code(error), whose=trailer(error, "x-deadline-exceeded"))

    waiting = unary.future(ask("wait"))
    # The server says in another call that it has begun.
    unary(ask("until waiting"), timeout=PATIENCE)
    waiting.cancel()
    tell("cancelled", code=waiting.code().name)

    came = 0
    try:
        for _ in count(ask(), timeout=0.55):
            came += 1
    except grpc.RpcError as error:
        tell("stream", code=code(error), came=came)

    answers = count(ask())
    next(answers)
    answers.cancel()
    tell("left", code=answers.code().name)

    answer = add(iter([ask("one"), ask("two"), ask("three")]), timeout=PATIENCE)
    tell("sum", said=said(answer))

    open_end = threading.Event()

    def endless():
        yield ask("one")
        open_end.wait(PATIENCE)

    adding = add.future(endless())
    unary(ask("until adding"), timeout=PATIENCE)
    adding.cancel()
    tell("half", code=adding.code().name)

    came = 0
    try:
        for _ in talk(endless(), timeout=0.5):
            came += 1
    except grpc.RpcError as error:
        tell("talk", code=code(error), came=came)
    open_end.set()

    waiting = unary.future(ask("wait"))
    unary(ask("until waiting"), timeout=PATIENCE)
    # The server goes down when it is told so; this very call may or may not be answered.
    unary.future(ask("go down")).exception(PATIENCE)
    error = waiting.exception(PATIENCE)
    tell("shutdown", code=error.code().name, details=error.details())


main(sys.argv[1])
