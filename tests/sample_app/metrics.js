// Prometheus' text format, for the few numbers that an operator decides by.
const BUCKETS = [0.005, 0.025, 0.1, 0.5, 1, 5];

const quote = (text) => String(text).replace(/[\\"\n]/g, (c) => ({ "\\": "\\\\", '"': '\\"', "\n": "\\n" })[c]);
const labels = (pairs) => `{${Object.entries(pairs).map(([name, value]) => `${name}="${quote(value)}"`).join(",")}}`;

export class Metrics {
  #requests = new Map();
  #buckets = BUCKETS.map(() => 0);
  #seconds = 0;
  #count = 0;
  #jobs = { processed: 0, failed: 0, active: 0 };

  request(method, route, status, seconds) {
    const key = labels({ method, route, status });
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    BUCKETS.forEach((limit, index) => (this.#buckets[index] += seconds <= limit ? 1 : 0));
    this.#seconds += seconds;
    this.#count += 1;
  }

  /** Count a job around its work. */
  async job(work) {
    this.#jobs.active += 1;
    try {
      await work();
      this.#jobs.processed += 1;
    } catch (error) {
      this.#jobs.failed += 1;
      throw error;
    } finally {
      this.#jobs.active -= 1;
    }
  }

  get jobs() {
    return { ...this.#jobs };
  }

  /** depth: jobs by state, or undefined while Redis does not answer. */
  render(identity, depth) {
    return [
      "# TYPE shop_info gauge",
      `shop_info${labels(identity)} 1`,
      "# TYPE process_start_time_seconds gauge",
      `process_start_time_seconds ${(Date.now() / 1000 - process.uptime()).toFixed(3)}`,
      "# TYPE process_resident_memory_bytes gauge",
      `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
      "# TYPE http_requests_total counter",
      ...[...this.#requests].map(([key, count]) => `http_requests_total${key} ${count}`),
      "# TYPE http_request_duration_seconds histogram",
      ...BUCKETS.map((limit, index) => `http_request_duration_seconds_bucket{le="${limit}"} ${this.#buckets[index]}`),
      `http_request_duration_seconds_bucket{le="+Inf"} ${this.#count}`,
      `http_request_duration_seconds_sum ${this.#seconds}`,
      `http_request_duration_seconds_count ${this.#count}`,
      "# TYPE shop_jobs_total counter",
      `shop_jobs_total{outcome="processed"} ${this.#jobs.processed}`,
      `shop_jobs_total{outcome="failed"} ${this.#jobs.failed}`,
      "# TYPE shop_jobs_active gauge",
      `shop_jobs_active ${this.#jobs.active}`,
      ...(depth ? ["# TYPE shop_queue_jobs gauge", ...Object.entries(depth).map(([state, count]) => `shop_queue_jobs${labels({ state })} ${count}`)] : []),
      "",
    ].join("\n");
  }
}
