// Start what MODE asks for, and stop without losing a request or a job.
import { setTimeout as sleep } from "node:timers/promises";

import { ConfigError, load } from "./config.js";
import { connect } from "./db.js";
import { log } from "./log.js";
import { Metrics } from "./metrics.js";
import { connectQueue } from "./queue.js";
import { createApi } from "./server.js";
import { startWorker } from "./worker.js";

function start(config) {
  const parts = { db: connect(config), queue: connectQueue(config), metrics: new Metrics(), state: { draining: false } };
  const worker = config.mode === "api" ? undefined : startWorker(config, parts);
  const server = createApi(config, parts).listen(config.port, () =>
    log("info", "listening", { port: server.address().port, mode: config.mode, version: config.version, release: config.release }),
  );
  server.on("error", (error) => {
    log("error", "cannot listen", { port: config.port, error: error.message });
    process.exit(1);
  });

  async function stop(signal) {
    if (parts.state.draining) return;
    parts.state.draining = true;
    log("info", "draining", { signal });
    setTimeout(() => {
      log("error", "gave up waiting for what is in flight", { after_ms: config.shutdownTimeout });
      process.exit(1);
    }, config.shutdownTimeout).unref();
    const jobs = worker?.close(); // takes no new job from now on
    await sleep(config.drainDelay); // a balancer has this long to see that readiness fails
    const requests = new Promise((resolve) => server.close(resolve));
    server.closeIdleConnections();
    await Promise.all([requests, jobs]);
    await Promise.all([parts.queue.close(), parts.db.close()]);
    log("info", "stopped");
    process.exit(0);
  }
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

try {
  start(load());
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  log("error", error.message);
  process.exit(78); // EX_CONFIG: trying again will not help
}
