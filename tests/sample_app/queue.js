// BullMQ on Redis or Valkey: the queue that the API writes and the worker reads.
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

import { log } from "./log.js";

export const QUEUE = "orders";
const KEPT = 1000;

/** A Redis that is gone shows as a failed request or probe, never as one that hangs. */
export function connectQueue(config) {
  const connection = new Redis({ ...config.redis, connectTimeout: 5000, commandTimeout: 5000, maxRetriesPerRequest: 1 });
  connection.on("error", (error) => log("warn", "redis connection lost", { error: error.message }));
  const queue = new Queue(QUEUE, {
    connection,
    defaultJobOptions: { attempts: 10, backoff: { type: "exponential", delay: 500 }, removeOnComplete: KEPT, removeOnFail: KEPT },
  });
  queue.on("error", () => {}); // the connection's own listener has logged it
  return {
    ping: () => connection.ping(),
    // The order's id is the job's: sending it twice makes one job.
    add: (id, workMs) => queue.add("process", { id, workMs }, { jobId: `order-${id}` }),
    depth: () => queue.getJobCounts("waiting", "active", "delayed", "prioritized", "paused", "failed"),
    close: async () => {
      await queue.close();
      connection.disconnect();
    },
  };
}

/** Start taking jobs. close() takes no more and returns when the last one is finished. */
export function startConsumer(config, handle) {
  // BullMQ asks for unlimited retries on the connection that blocks for jobs.
  const connection = new Redis({ ...config.redis, connectTimeout: 5000, maxRetriesPerRequest: null });
  connection.on("error", (error) => log("warn", "redis connection lost", { error: error.message }));
  const worker = new Worker(QUEUE, (job) => handle(job.data), { connection, concurrency: config.concurrency });
  worker.on("error", () => {});
  worker.on("failed", (job, error) => log("error", "job failed", { job: job?.id, attempt: job?.attemptsMade, error: error.message }));
  return {
    close: async () => {
      await worker.close();
      connection.disconnect();
    },
  };
}
