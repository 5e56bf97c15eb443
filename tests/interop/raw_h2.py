"""Python's h2 as a client that says what no library would: reads calls as JSON lines, and prints how each ended.

A call is `{"timeout": [..], "trailers": [..], "size": n}`: lines of `grpc-timeout` in its headers, and in its trailers,
as Latin-1, and the size of a metadata of its own. All of them share one connection.
"""

import json
import socket
import sys

import h2.config
import h2.connection
import h2.errors
import h2.events

HEADERS = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/probe.Probe/Unary"),
    (b":authority", b"localhost"),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
]


def lines(values):
    return [(b"grpc-timeout", value.encode("latin-1")) for value in values]


def main(address):
    host, port = address.rsplit(":", 1)
    sock = socket.create_connection((host, int(port)), timeout=60)
    config = h2.config.H2Configuration(
        client_side=True,
        header_encoding=None,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
    conn = h2.connection.H2Connection(config=config)
    conn.initiate_connection()
    sock.sendall(conn.data_to_send())
    for line in sys.stdin:
        call = json.loads(line)
        end = {"status": None, "http": None, "reset": None}
        stream = conn.get_next_available_stream_id()
        headers = HEADERS + lines(call.get("timeout", []))
        if call.get("size"):
            headers.append((b"x-large", b"x" * call["size"]))
        conn.send_headers(stream, headers)
        trailers = call.get("trailers", [])
        conn.send_data(stream, bytes(5), end_stream=not trailers)
        if trailers:
            conn.send_headers(stream, lines(trailers), end_stream=True)
        sock.sendall(conn.data_to_send())
        while not over(conn, sock, stream, end):
            pass
        print(json.dumps(end), flush=True)


def over(conn, sock, stream, end):
    data = sock.recv(65536)
    if not data:
        end["reset"] = "the connection is closed"
        return True
    done = False
    for event in conn.receive_data(data):
        if getattr(event, "stream_id", stream) != stream:
            continue
        if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
            headers = dict(event.headers)
            end["http"] = headers.get(b":status", (end["http"] or "").encode()).decode()
            if b"grpc-status" in headers:
                end["status"] = int(headers[b"grpc-status"])
        elif isinstance(event, h2.events.DataReceived):
            conn.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, h2.events.StreamEnded):
            done = True
        elif isinstance(event, h2.events.StreamReset):
            end["reset"] = event.error_code.name if hasattr(event.error_code, "name") else event.error_code
            done = True
        elif isinstance(event, h2.events.ConnectionTerminated):
            end["reset"] = f"the connection: {event.error_code!r}"
            done = True
    sock.sendall(conn.data_to_send())
    return done


main(sys.argv[1])
