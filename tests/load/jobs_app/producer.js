// Keeps a hundred jobs waiting until somebody sets "enough", then prints the number after the last one: node producer.js FIRST LONGEST_MS
import { setTimeout as sleep } from "node:timers/promises";

import { Queue } from "bullmq";
import { Redis } from "ioredis";

const WAITING = 100;
const [first, longest] = process.argv.slice(2).map(Number);
const connection = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const queue = new Queue("jobs", { connection });
let next = first;
while (!(await connection.exists("enough"))) {
  if ((await queue.getWaitingCount()) < WAITING) {
    const jobs = Array.from({ length: WAITING }, (_, index) => ({
      name: "job",
      data: { ms: 100 + Math.random() * (longest - 100) },
      opts: { jobId: `job-${next + index}`, attempts: 1 },
    }));
    await queue.addBulk(jobs);
    next += WAITING;
  }
  await sleep(500);
}
await queue.close();
connection.disconnect();
console.log(next);
