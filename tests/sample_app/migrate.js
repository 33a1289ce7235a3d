// Bring the schema up to date. Safe to run twice, and by two hosts at once: a ledger, and a lock around it.
import { readdirSync, readFileSync } from "node:fs";

import pg from "pg";

import { ConfigError, load } from "./config.js";
import { log } from "./log.js";

const LOCK = 7_206_031; // any number, the same in every release
const FOLDER = new URL("migrations/", import.meta.url);

async function migrate(client) {
  await client.query("SELECT pg_advisory_lock($1)", [LOCK]);
  await client.query("CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, release text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())");
  const { rows } = await client.query("SELECT name FROM schema_migrations");
  const applied = new Set(rows.map((row) => row.name));
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".sql") && !applied.has(name))
    .sort();
}

async function apply(client, name, release) {
  await client.query("BEGIN");
  await client.query(readFileSync(new URL(name, FOLDER), "utf8"));
  await client.query("INSERT INTO schema_migrations (name, release) VALUES ($1, $2)", [name, release]);
  await client.query("COMMIT");
  log("info", "migration applied", { name });
}

let client;
try {
  const config = load();
  client = new pg.Client({ ...config.database, application_name: `shop migrate ${config.release}`, connectionTimeoutMillis: 5000 });
  await client.connect();
  const pending = await migrate(client);
  for (const name of pending) await apply(client, name, config.release);
  log("info", "schema is up to date", { applied: pending.length });
} catch (error) {
  log("error", "migration failed", { error: error.message });
  process.exitCode = error instanceof ConfigError ? 78 : 1;
} finally {
  await client?.end().catch(() => {}); // ends the session, and with it the lock and what was not committed
}
