// PostgreSQL: the pool, and the four statements that the application makes.
import pg from "pg";

import { log } from "./log.js";

const FIELDS = "id, item, quantity, status, created_at, created_release, processed_at, processed_by, processed_release";

export function connect(config) {
  const pool = new pg.Pool({
    ...config.database,
    application_name: `shop ${config.mode} ${config.release}`,
    connectionTimeoutMillis: 5000,
    query_timeout: 10000,
  });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on("error", (error) => log("warn", "database connection lost", { error: error.message }));

  const one = async (sql, values) => (await pool.query(sql, values)).rows[0];
  return {
    ping: () => pool.query("SELECT 1"),
    create: (item, quantity) =>
      one(`INSERT INTO orders (item, quantity, created_release) VALUES ($1, $2, $3) RETURNING ${FIELDS}`, [item, quantity, config.release]),
    find: (id) => one(`SELECT ${FIELDS} FROM orders WHERE id = $1`, [id]),
    forget: (id) => pool.query("DELETE FROM orders WHERE id = $1 AND status = 'pending'", [id]),
    // A job can be delivered twice; the row is processed once.
    process: (id) =>
      one(
        `UPDATE orders SET status = 'processed', processed_at = now(), processed_by = $2, processed_release = $3
         WHERE id = $1 AND status = 'pending' RETURNING ${FIELDS}`,
        [id, config.hostname, config.release],
      ),
    close: () => pool.end(),
  };
}
