// What the moments say: a model of the run, made of them alone. It knows nothing of the page.

export const SERVICES = ["client", "gateway", "auth", "orders", "ledger"];

const PATHS = { "/checkout": "gateway", "/authorize": "auth", "/orders": "orders", "/entries": "ledger" };

export function newRun(number) {
  const services = {};
  for (const name of SERVICES) {
    services[name] = { state: "idle", pill: "idle", granted: null, left: null, at: 0, baggage: {}, headers: null, dropped: [], shield: null };
  }
  return {
    number, services, scene: null, title: null, spans: new Map(), links: ["", "", "", ""], log: [], checks: [],
    deadline: null, answer: null, last: 0, began: number > 0, over: number === 0,
  };
}

export function add(run, moment) {
  run.last = Math.max(run.last, moment.at_ms);
  const at = moment.at_ms;
  switch (moment.what) {
    case "told": told(run, at, moment.told); break;
    case "opened": opened(run, at, moment.span); break;
    case "closed": closed(run, at, moment.span); break;
    case "dropped": {
      run.services[moment.service].dropped.push(moment);
      say(run, at, moment.service, `leaves ${moment.header} out: ${moment.reason}`, "warm");
      break;
    }
    case "over": run.over = true; break;
  }
}

// Which service a span of a client asks.
export const asked = (span) => PATHS[span.fields.path] ?? "ledger";

function say(run, at, service, words, kind = "") {
  run.log.push({ at, service, words, kind });
}

function opened(run, at, span) {
  run.spans.set(span.name + span.span_id, { ...span, opened: at, closed: null, marks: [], shield: null });
  if (span.name !== "send") return;
  const from = run.services[span.service];
  run.links[SERVICES.indexOf(asked(span)) - 1] = "open";
  from.state = "waiting";
  from.pill = `waits for ${asked(span)}`;
  if (span.service === "client") say(run, at, "client", `sends POST ${span.fields.path}`);
}

function closed(run, at, span) {
  const known = run.spans.get(span.name + span.span_id);
  if (!known) return;
  known.closed = at;
  known.fields = span.fields;
  if (span.name !== "send") return;
  const to = asked(span);
  const answered = span.fields.status !== undefined;
  run.links[SERVICES.indexOf(to) - 1] = answered ? "back" : "broken";
  if (to === "ledger") settle(run.services.ledger, at, answered ? "answered" : "left", answered ? "booked" : "left alone");
  const from = run.services[span.service];
  if (from.state === "waiting") {
    from.state = "working";
    from.pill = "works";
  }
}

// A service has an end: its budget stands still.
function settle(service, at, state, pill) {
  if (service.left !== null) service.left = Math.max(0, service.left - (at - service.at));
  service.at = at;
  service.state = state;
  service.pill = pill;
}

function grant(service, at, left) {
  service.granted = left;
  service.left = left;
  service.at = at;
}

function requestOf(run, name) {
  return [...run.spans.values()].filter((span) => span.name === "request" && span.service === name).pop();
}

function told(run, at, event) {
  const service = run.services[event.service];
  switch (event.event) {
    case "scene":
      run.scene = event.scene;
      run.title = event.title;
      run.services.client.state = "waiting";
      run.services.client.pill = "waits";
      break;
    case "received": received(run, at, event); break;
    case "arrived":
      service.state = "working";
      service.pill = "works";
      service.baggage = event.baggage;
      if (event.left_ms !== null) grant(service, at, event.left_ms);
      if (run.deadline === null && event.left_ms !== null) run.deadline = at + event.left_ms;
      say(run, at, event.service, `${ms(event.left_ms)} left, ${pairs(event.baggage) || "no baggage"}`);
      break;
    case "departed":
      settle(service, at, "answered", "answered");
      say(run, at, event.service, `answers: ${event.said}`);
      break;
    case "saw_the_end": {
      settle(service, at, "unwinding", "unwinds");
      service.shield = "gives back";
      const span = requestOf(run, event.service);
      if (span) {
        span.marks.push({ at, kind: "end" });
        span.shield = { from: at, to: null };
      }
      say(run, at, event.service, `sees the end: ${event.cause}. What it reserved goes back, under a shield`, "warm");
      break;
    }
    case "released": {
      service.shield = "gave back";
      const span = requestOf(run, event.service);
      if (span?.shield) span.shield.to = at;
      say(run, at, event.service, `gave the ${event.what} back: a shield lets that finish`, "warm");
      break;
    }
    case "unwound": {
      settle(service, at, "unwound", "unwound");
      const span = requestOf(run, event.service);
      if (span && !span.shield) span.marks.push({ at, kind: "end" });
      say(run, at, event.service, `unwound: ${event.cause}`, "bad");
      break;
    }
    case "answered": {
      const good = event.status < 400;
      run.answer = event.status;
      settle(run.services.client, at, good ? "answered" : "failed", `got ${event.status}`);
      if (run.links[0] === "open") run.links[0] = run.links[1] = "back";
      const whose = event.deadline_exceeded ? `, x-deadline-exceeded: ${event.deadline_exceeded}` : "";
      say(run, at, "client", `is answered ${event.status}${whose}`, good ? "" : "bad");
      break;
    }
    case "left":
      settle(run.services.client, at, "left", "left");
      run.links[0] = "broken";
      say(run, at, "client", "closes its connection", "bad");
      break;
    case "checked":
      run.checks.push({ what: event.what, held: event.held });
      break;
  }
}

function received(run, at, event) {
  const service = run.services[event.service];
  service.headers = event.headers;
  const left = Number(event.headers["x-timeout-ms"]);
  if (event.service === "gateway" && left) grant(run.services.client, at, left);
  if (event.service === "ledger") {
    service.state = "working";
    service.pill = "works";
    if (left) grant(service, at, left);
    say(run, at, "ledger", `is told ${ms(left)} and the trace, and no word of the user`);
  }
  if (event.service === "auth" && run.scene === "malformed") {
    run.services.gateway.state = "passed";
    run.services.gateway.pill = "passed by";
    run.links[0] = run.links[1] = "open";
    say(run, at, "client", "sends POST /authorize, as a peer does: past the gateway");
  }
}

export function ms(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "no deadline";
  return value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

export function pairs(map) {
  return Object.entries(map).map(([key, value]) => `${key}=${value}`).join(" ");
}

// What is left of a service's budget at a moment.
export function leftAt(service, now) {
  if (service.left === null) return null;
  const runs = ["working", "waiting", "unwinding"].includes(service.state);
  return Math.max(0, runs ? service.left - (now - service.at) : service.left);
}
