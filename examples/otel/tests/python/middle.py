"""A service that knows nothing of ctxprop: Flask and requests, each with OpenTelemetry's own instrumentation.

It tells its address on the first line and what it saw of each request on the next ones, passes orders on to the service
whose URL is its argument, with one more entry in the baggage, and goes down when its standard input ends.
"""

import json
import sys
import threading

import requests
from flask import Flask, request
from opentelemetry import baggage, context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from werkzeug.serving import make_server

provider = TracerProvider(resource=Resource.create({"service.name": "python"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)

app = Flask(__name__)
FlaskInstrumentor().instrument_app(app)
RequestsInstrumentor().instrument()


@app.post("/orders")
def orders():
    span = trace.get_current_span().get_span_context()
    saw = {
        "trace_id": f"{span.trace_id:032x}",
        "trace_state": span.trace_state.to_header(),
        "baggage": dict(baggage.get_all()),
    }
    print(json.dumps(saw), flush=True)
    token = context.attach(baggage.set_baggage("via", "python"))
    try:
        answer = requests.post(sys.argv[1] + "/orders", json=request.get_json(), timeout=30)
    finally:
        context.detach(token)
    return answer.json(), answer.status_code


server = make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_port}", flush=True)
sys.stdin.read()
server.shutdown()
provider.shutdown()
