// Works on jobs and accounts for each: how often it began, how often it ended, and under which release.
import { setTimeout as sleep } from "node:timers/promises";

import { Worker } from "bullmq";
import { Redis } from "ioredis";

const connection = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const account = new Redis(process.env.REDIS_URL);

// A job whose worker died is found after fifteen seconds, so that a test sees it run again; a busy machine delays no worker for as long.
const worker = new Worker(
  "jobs",
  async (job) => {
    await account.hincrby("began", job.id, 1);
    await sleep(job.data.ms);
    await account.hincrby("ended", job.id, 1);
    await account.hincrby("releases", process.env.RELEASE_ID, 1);
  },
  { connection, concurrency: 10, lockDuration: 15000, stalledInterval: 1000, maxStalledCount: 5 },
);
worker.on("error", (error) => console.log(error.message));

process.on("SIGTERM", async () => {
  await worker.close();
  process.exit(0);
});
