// Everything the application is told comes through here: environment variables, or files named by <NAME>_FILE.
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

import { keySet } from "./tokens.js";

const MODES = ["api", "worker", "all"];
const SSL_MODES = ["disable", "require", "verify-ca", "verify-full"];

const packaged = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

/** Thrown for a setting that is missing or wrong; its message never holds a value that may be secret. */
export class ConfigError extends Error {}

/** The value of NAME, or what the file named by NAME_FILE holds. */
function read(env, name) {
  const file = env[`${name}_FILE`];
  if (env[name] && file) throw new ConfigError(`${name} and ${name}_FILE are both set: set one`);
  if (!file) return env[name] || undefined;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new ConfigError(`${name}_FILE names ${file}, which cannot be read: ${error.code}`);
  }
}

function number(env, name, fallback, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}) {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) throw new ConfigError(`${name} must be a whole number from ${min} to ${max}`);
  return value;
}

function url(env, name, protocols) {
  const text = read(env, name);
  if (!text) throw new ConfigError(`${name} is missing: set ${name} or ${name}_FILE`);
  let parsed;
  try {
    parsed = new URL(text);
  } catch {
    throw new ConfigError(`${name} is not a URL`);
  }
  if (!protocols.includes(parsed.protocol)) throw new ConfigError(`${name} must begin with ${protocols.join(" or ")}`);
  return parsed;
}

const credentials = (parsed) => ({ user: decodeURIComponent(parsed.username), password: decodeURIComponent(parsed.password) });

/** The certificate is always checked: against the CA file where there is one, else against the system's authorities. */
function tls(env, name, host) {
  const file = env[`${name}_CA_FILE`];
  try {
    return { host, rejectUnauthorized: true, ...(file && { ca: readFileSync(file, "utf8") }) };
  } catch (error) {
    throw new ConfigError(`${name}_CA_FILE names ${file}, which cannot be read: ${error.code}`);
  }
}

/** DATABASE_URL with libpq's sslmode; what asks for TLS at all gets it verified. */
function database(env) {
  const parsed = url(env, "DATABASE_URL", ["postgres:", "postgresql:"]);
  const mode = parsed.searchParams.get("sslmode") ?? "require";
  if (!SSL_MODES.includes(mode)) throw new ConfigError(`DATABASE_URL: sslmode must be one of ${SSL_MODES.join(", ")}`);
  return {
    host: parsed.hostname,
    port: Number(parsed.port || 5432),
    database: decodeURIComponent(parsed.pathname.slice(1)),
    ...credentials(parsed),
    max: number(env, "DATABASE_POOL", 5, { min: 1, max: 100 }),
    ssl: mode === "disable" ? false : tls(env, "DATABASE", parsed.hostname),
  };
}

function redis(env) {
  const parsed = url(env, "REDIS_URL", ["redis:", "rediss:"]);
  const { user, password } = credentials(parsed);
  return {
    host: parsed.hostname,
    port: Number(parsed.port || 6379),
    db: Number(parsed.pathname.slice(1) || 0),
    ...(user && { username: user }),
    ...(password && { password }),
    ...(parsed.protocol === "rediss:" && { tls: tls(env, "REDIS", parsed.hostname) }),
  };
}

/** A set of keys as the lookup's field "keyset" gives it: {"sign": kid, "keys": [JSON Web Keys]}. */
function keys(env, name) {
  const text = read(env, name);
  try {
    return text && keySet(text);
  } catch (error) {
    throw new ConfigError(`${name} ${error.message}`);
  }
}

/** What identifies this process in answers, rows and logs. */
export function identity(env) {
  const mode = env.MODE || "all";
  if (!MODES.includes(mode)) throw new ConfigError(`MODE must be one of ${MODES.join(", ")}`);
  const version = env.APP_VERSION || packaged.version;
  return { mode, version, release: env.RELEASE_ID || version, hostname: hostname() };
}

/** Read and check all of it; the process does not start with half of a configuration. */
export function load(env = process.env) {
  return {
    ...identity(env),
    port: number(env, "PORT", 3000, { min: 0, max: 65535 }),
    concurrency: number(env, "WORKER_CONCURRENCY", 5, { min: 1, max: 1000 }),
    drainDelay: number(env, "DRAIN_DELAY_MS", 1000),
    shutdownTimeout: number(env, "SHUTDOWN_TIMEOUT_MS", 25000),
    database: database(env),
    redis: redis(env),
    receiptKeys: keys(env, "RECEIPT_KEYS"), // who issues a receipt also verifies it
    passKeys: keys(env, "PASS_KEYS"), // others verify a pass, by the published keys
    tokenLifetime: number(env, "TOKEN_LIFETIME", 3600, { min: 1 }), // seconds
    jwksMaxAge: number(env, "JWKS_MAX_AGE", 300), // seconds that others may keep the published keys
  };
}
