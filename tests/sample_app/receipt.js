// A customer's proof of an order: a JSON Web Token (HS256) over its id.
import { createHmac } from "node:crypto";

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export function receipt(secret, order) {
  const issued = Math.floor(new Date(order.created_at).getTime() / 1000);
  const body = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ sub: String(order.id), iat: issued })}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}
