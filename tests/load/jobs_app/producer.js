// Adds jobs: node producer.js FIRST COUNT LONGEST_MS
import { Queue } from "bullmq";
import { Redis } from "ioredis";

const [first, count, longest] = process.argv.slice(2).map(Number);
const connection = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const queue = new Queue("jobs", { connection });
const jobs = Array.from({ length: count }, (_, index) => ({
  name: "job",
  data: { ms: 100 + Math.random() * (longest - 100) },
  opts: { jobId: `job-${first + index}`, attempts: 1 },
}));
await queue.addBulk(jobs);
await queue.close();
connection.disconnect();
