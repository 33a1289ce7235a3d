// The worker's one job: process an order.
import { setTimeout as sleep } from "node:timers/promises";

import { log } from "./log.js";
import { startConsumer } from "./queue.js";

export function startWorker(config, { db, metrics }) {
  return startConsumer(config, ({ id, workMs }) =>
    metrics.job(async () => {
      await sleep(workMs);
      const order = await db.process(id);
      log("info", order ? "order processed" : "order was processed before", { order: id });
    }),
  );
}
