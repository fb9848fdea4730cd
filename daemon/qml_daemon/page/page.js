// Reads /api/v1 and shows it; reads again when the stream of events says that something changed.
"use strict";

const ROWS = 20, SPARKS = 8, REFRESH_SECONDS = 15, SERVICE_SECONDS = 5, COALESCE_MILLISECONDS = 500, STALE_SECONDS = 20;

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = text;
  if (className) element.className = className;
  return element;
}

async function ask(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function when(text) {
  return text ? new Date(text).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" }) : "";
}

function ago(text) {
  if (!text) return "";
  const seconds = Math.max(0, (Date.now() - new Date(text)) / 1000);
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86400)} d ago`;
}

function digits(value) {
  return Number.isInteger(value) ? value.toLocaleString() : Number(value.toPrecision(4)).toString();
}

function counts(jobs) {
  return Object.entries(jobs || {}).map(([status, count]) => `${count} ${status}`).join(", ");
}

function fill(id, rows, empty) {
  const table = document.getElementById(id);
  const names = [...table.querySelectorAll("th")].map((head) => [head.textContent, head.className]);
  const body = document.createElement("tbody");
  for (const cells of rows) {
    const row = body.appendChild(make("tr"));
    cells.forEach((cell, index) => {
      const place = row.appendChild(make("td", undefined, names[index][1]));
      place.dataset.name = names[index][0];
      place.append(cell instanceof Node ? cell : make("span", cell ?? ""));
    });
  }
  if (!rows.length) {
    const cell = body.appendChild(make("tr")).appendChild(make("td", empty, "quiet empty"));
    cell.colSpan = names.length;
  }
  table.tBodies[0].replaceWith(body);
}

function spark(points) {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  picture.setAttribute("class", "spark");
  picture.setAttribute("viewBox", "0 0 100 20");
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `${points.length} values`);
  const values = points.map((point) => point.value), low = Math.min(...values), high = Math.max(...values);
  const line = values.map((value, index) => {
    const x = (100 * index) / Math.max(1, values.length - 1);
    return `${x.toFixed(1)},${(19 - 18 * (high > low ? (value - low) / (high - low) : 0.5)).toFixed(1)}`;
  });
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", `M${line.join("L")}`);
  picture.append(path);
  return picture;
}

async function metricOf(run) {
  const cell = make("span");
  const list = await ask(`/api/v1/series?run=${encodeURIComponent(run.id)}&limit=20`);
  const chosen = list.items.find((one) => one.metric === "val_accuracy") || list.items.find((one) => /loss|energy|objective/.test(one.metric)) || list.items.find((one) => !one.metric.startsWith("qml."));
  if (!chosen) return cell;
  cell.textContent = `${chosen.metric} ${chosen.last === undefined ? chosen.last_nonfinite : digits(chosen.last)}`;
  const whole = await ask(`/api/v1/series/${encodeURIComponent(chosen.id)}`);
  if ((whole.points || []).length > 1) cell.append(spark(whole.points));
  return cell;
}

function card(alert) {
  const box = make("div", undefined, `card ${alert.severity}`);
  box.append(make("p", alert.annotations.summary || alert.rule));
  if (alert.annotations.description) box.append(make("p", alert.annotations.description, "quiet"));
  const labels = Object.entries(alert.labels).map(([name, value]) => `${name} ${value}`).join(" · ");
  box.append(make("p", `${alert.severity} · ${labels} · since ${when(alert.starts)}`, "quiet"));
  return box;
}

async function showFiring() {
  const alerts = (await ask("/api/v1/alerts?limit=100")).items.filter((one) => one.status === "firing");
  document.getElementById("firing-count").textContent = alerts.length || "";
  document.getElementById("firing").replaceChildren(...(alerts.length ? alerts.map(card) : [make("p", "Nothing is firing.", "quiet")]));
}

async function showRuns() {
  const runs = (await ask(`/api/v1/runs?limit=${ROWS}`)).items;
  const rows = await Promise.all(runs.map(async (run, index) => [
    run.name || run.id, run.project, make("span", run.status, { failed: "critical-text", silent: "warning-text", completed: "good-text" }[run.status]),
    run.step === undefined ? "" : String(run.step), counts(run.jobs), index < SPARKS ? await metricOf(run) : "", ago(run.seen),
  ]));
  fill("runs", rows, "No run yet. Instrumented code makes one: import quantum_mlops; quantum_mlops.autolog()");
}

async function showBackends() {
  const backends = (await ask(`/api/v1/backends?limit=${ROWS}`)).items;
  fill("backends", backends.map((one) => [
    one.id, one.project, counts(one.jobs), digits(one.canaries || 0), ago(one.last_canary),
    one.calibration_id ? `${one.calibration_id.slice(0, 11)} ${ago(one.calibration_time)}` : "absent",
    one.pending_jobs === undefined ? "" : digits(one.pending_jobs),
  ]), "No backend was used yet.");
}

function explained(rule) {
  const link = make("a", rule);
  link.href = `/docs/alerts/${encodeURIComponent(rule)}`;
  return link;
}

async function showFindings() {
  const findings = (await ask(`/api/v1/findings?limit=${ROWS}`)).items;
  fill("findings", findings.map((one) => [
    explained(one.rule), make("span", one.status, one.status === "firing" ? `${one.severity}-text` : "quiet"),
    one.labels.backend || one.labels.run || one.project, one.annotations.summary || "", when(one.opened), when(one.closed),
  ]), "Nothing was found yet.");
}

async function showService() {
  const place = document.getElementById("service");
  const status = await ask("/api/v1/status");
  const age = Date.now() / 1000 - status.written / 1e9;
  const fault = status.fault || status.reload_fault || (status.intake && status.intake.fault);
  const mood = age > STALE_SECONDS ? "bad" : fault ? "warn" : "good";
  place.replaceChildren(make("span", undefined, `dot ${mood}`), make("span", fault || `version ${status.version}, up since ${when(new Date(status.started / 1e6))}`));
  if (!status.dispatcher) return;
  const partitions = status.runner ? status.runner.partitions : [], sum = (name) => partitions.reduce((total, one) => total + one[name], 0);
  const outbox = status.dispatcher.outbox;
  const facts = {
    "Log": status.runner ? `${digits(sum("offset"))} events processed, ${digits(sum("lag"))} behind` : "on Kafka; workers process it: quantum-mlops kafka status",
    "Spool": `${(status.intake.lag_bytes / 2 ** 20).toFixed(1)} MiB not in the log yet, ${status.intake.segments} segments`,
    ...(status.runner ? { "Series": `${digits(sum("series"))} watched, ${digits(sum("open_findings"))} findings open` } : {}),
    "Notifications": `${outbox.sent} sent, ${outbox.waiting} waiting, ${outbox.failed} failed since the start`,
    ...(status.mqtt ? { "MQTT": status.mqtt.connected ? `${digits(status.mqtt.events)} events from ${status.mqtt.url}` : `${status.mqtt.url} ${status.mqtt.fault}` } : {}),
    "Dead letters": digits(status.intake.dead_letters + (status.mqtt ? Object.values(status.mqtt.rejected).reduce((total, one) => total + one, 0) : 0)),
    "Written": `${Math.max(0, Math.round(age))} s ago`,
  };
  const moods = { fail: "critical-text", note: "warning-text" };
  const rows = Object.entries(facts).concat((status.remarks || []).map((one) => [one.name === "follower" ? "Follower" : `Exporter ${one.name}`, one.text, moods[one.verdict]]));
  document.getElementById("lag").replaceChildren(...rows.flatMap(([name, text, mood]) => [make("dt", name), make("dd", text, mood)]));
}

let isReading = false, isAsked = false, timer = null;

async function refresh() {
  if (isReading) { isAsked = true; return; }
  isReading = true;
  const parts = [showService, showFiring, showRuns, showBackends, showFindings];
  const failed = (await Promise.allSettled(parts.map((part) => part()))).filter((one) => one.status === "rejected");
  if (failed.length) {
    document.getElementById("service").replaceChildren(make("span", undefined, "dot bad"), make("span", `not reached: ${failed[0].reason.message}`));
  }
  document.body.dataset.shown = new Date().toISOString();
  isReading = false;
  if (isAsked) { isAsked = false; soon(); }
}

function soon() {
  if (timer === null) timer = setTimeout(() => { timer = null; refresh(); }, COALESCE_MILLISECONDS);
}

function listen() {
  const stream = new EventSource("/api/v1/stream");
  for (const kind of ["finding", "alert", "run", "job", "resync"]) stream.addEventListener(kind, soon);
  stream.addEventListener("message", soon);
  addEventListener("pagehide", () => stream.close());
}

refresh();
listen();
setInterval(() => { if (!document.hidden && !isReading) showService().catch(soon); }, SERVICE_SECONDS * 1000);
setInterval(() => { if (!document.hidden) refresh(); }, REFRESH_SECONDS * 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
