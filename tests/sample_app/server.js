// The HTTP side: health, metrics and version in every mode; orders where the mode serves them.
import { createServer } from "node:http";

import { log } from "./log.js";

const LARGEST_BODY = 64 * 1024;
const LONGEST_WORK_MS = 60_000;

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function json(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw new Refused(413, `the body is larger than ${LARGEST_BODY} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new Refused(400, "the body is not JSON");
  }
}

function order(body) {
  const { item, quantity, work_ms: workMs = 0 } = body ?? {};
  if (typeof item !== "string" || !item.trim() || item.length > 200) throw new Refused(400, "item must be a text of 1 to 200 characters");
  if (!Number.isInteger(quantity) || quantity < 1 || quantity > 1_000_000) throw new Refused(400, "quantity must be a whole number from 1 to 1000000");
  if (!Number.isInteger(workMs) || workMs < 0 || workMs > LONGEST_WORK_MS) throw new Refused(400, `work_ms must be a whole number from 0 to ${LONGEST_WORK_MS}`);
  return { item, quantity, workMs };
}

/** state.draining: readiness fails while it is true. */
export function createApi(config, { db, queue, metrics, state }) {
  const { mode, version, release, hostname, receiptKeys, passKeys, tokenLifetime } = config;
  const identity = { version, release, mode, hostname };

  async function check(ping) {
    try {
      await ping();
      return "ok";
    } catch (error) {
      return error.message || error.code || "failed";
    }
  }

  async function readiness() {
    const [database, redis] = await Promise.all([check(db.ping), check(queue.ping)]);
    const ready = !state.draining && database === "ok" && redis === "ok";
    return { status: ready ? 200 : 503, body: { ready, draining: state.draining, database, redis } };
  }

  async function createOrder(request) {
    const { item, quantity, workMs } = order(await json(request));
    const row = await db.create(item, quantity);
    try {
      await queue.add(row.id, workMs);
    } catch (error) {
      await db.forget(row.id); // no order is accepted that nobody will process
      log("error", "order refused: the queue did not take it", { error: error.message });
      throw new Refused(503, "the queue is not available, try again");
    }
    const claims = { sub: String(row.id) };
    const receipt = receiptKeys?.sign(claims, tokenLifetime);
    const pass = passKeys?.sign(claims, tokenLifetime);
    return { status: 201, body: { ...row, receipt, pass } };
  }

  async function verifyReceipt(request) {
    const { receipt } = (await json(request)) ?? {};
    const claims = typeof receipt === "string" ? receiptKeys?.verify(receipt) : undefined;
    if (!claims) throw new Refused(401, "this is no receipt of ours, or its time is over");
    return { status: 200, body: { order: Number(claims.sub) } };
  }

  async function findOrder(_request, id) {
    const row = await db.find(id);
    if (!row) throw new Refused(404, `there is no order ${id}`);
    return { status: 200, body: row };
  }

  const publishedKeys = () => ({ status: 200, body: passKeys?.published() ?? { keys: [] }, cache: `public, max-age=${config.jwksMaxAge}` });

  const routes = [
    ["GET", /^\/health\/live$/, "/health/live", () => ({ status: 200, body: { live: true } })],
    ["GET", /^\/health\/ready$/, "/health/ready", readiness],
    [
      "GET",
      /^\/health\/status$/,
      "/health/status",
      async () => ({
        status: 200,
        body: { ...identity, uptime_seconds: process.uptime(), jobs: metrics.jobs, ...(await readiness()).body, queue: await queue.depth().catch(() => null) },
      }),
    ],
    ["GET", /^\/metrics$/, "/metrics", async () => ({ status: 200, text: metrics.render(identity, await queue.depth().catch(() => undefined)) })],
    ["GET", /^\/version$/, "/version", () => ({ status: 200, body: { version, release } })],
    ...(mode === "worker"
      ? []
      : [
          ["POST", /^\/orders$/, "/orders", createOrder],
          ["GET", /^\/orders\/([0-9]{1,18})$/, "/orders/:id", findOrder],
          ["POST", /^\/receipts\/verify$/, "/receipts/verify", verifyReceipt],
          ["GET", /^\/\.well-known\/jwks\.json$/, "/.well-known/jwks.json", publishedKeys],
        ]),
  ];

  async function answer(request) {
    const path = new URL(request.url, "http://localhost").pathname;
    const here = routes.filter(([, pattern]) => pattern.test(path));
    const found = here.find(([method]) => method === request.method);
    if (!found) return { route: "none", status: here.length ? 405 : 404, body: { error: here.length ? "method not allowed" : "not found" } };
    const [, pattern, route, handle] = found;
    try {
      return { route, ...(await handle(request, ...pattern.exec(path).slice(1))) };
    } catch (error) {
      if (!(error instanceof Refused)) log("error", "request failed", { route, error: error.message });
      const status = error.status ?? 500;
      return { route, status, body: { error: error.status ? error.message : "internal error" } };
    }
  }

  return createServer(async (request, response) => {
    const started = process.hrtime.bigint();
    const { route, status, body, text, cache = "no-store" } = await answer(request);
    response.writeHead(status, {
      "Content-Type": text === undefined ? "application/json" : "text/plain; version=0.0.4",
      "Cache-Control": cache,
      "X-Release": release,
      // A connection that stays open would keep a draining process alive, or lose the request sent on it.
      ...(state.draining && { Connection: "close" }),
    });
    response.end(text ?? `${JSON.stringify(body)}\n`);
    metrics.request(request.method, route, status, Number(process.hrtime.bigint() - started) / 1e9);
  });
}
