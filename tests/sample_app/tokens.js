// JSON Web Tokens by a set of keys: one key signs, all of them verify. So a key can be changed while tokens of both are about.
import { createHmac, createPrivateKey, createPublicKey, sign, timingSafeEqual, verify } from "node:crypto";

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (text) => JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
const now = () => Math.floor(Date.now() / 1000);

/** Whoever verifies can sign. */
function shared(jwk) {
  const secret = Buffer.from(jwk.k, "base64url");
  const mac = (text) => createHmac("sha256", secret).update(text).digest();
  return { sign: mac, verify: (text, signature) => signature.length === 32 && timingSafeEqual(mac(text), signature) };
}

/** Whoever has the public part verifies. */
function pair(jwk, options) {
  const publicKey = createPublicKey({ key: jwk, format: "jwk" });
  const privateKey = jwk.d && createPrivateKey({ key: jwk, format: "jwk" });
  return {
    ...(privateKey && { sign: (text) => sign("sha256", Buffer.from(text), { key: privateKey, ...options }) }),
    verify: (text, signature) => verify("sha256", Buffer.from(text), { key: publicKey, ...options }, signature),
    published: { ...publicKey.export({ format: "jwk" }), kid: jwk.kid, alg: jwk.alg, use: "sig" },
  };
}

const ALGORITHMS = {
  HS256: shared,
  RS256: (jwk) => pair(jwk, {}),
  ES256: (jwk) => pair(jwk, { dsaEncoding: "ieee-p1363" }),
};

/** Throws for a set that cannot be used; the message holds no part of a key. */
export function keySet(text) {
  let given;
  try {
    given = JSON.parse(text);
  } catch {
    throw new Error("is not JSON");
  }
  const keys = new Map();
  for (const jwk of given?.keys ?? []) {
    try {
      keys.set(jwk.kid, { alg: jwk.alg, ...ALGORITHMS[jwk.alg](jwk) });
    } catch {
      throw new Error(`has a key that is none of ${Object.keys(ALGORITHMS).join(", ")}`);
    }
  }
  const signer = keys.get(given?.sign);
  if (!signer?.sign) throw new Error("has no key to sign with");

  return {
    /** lifetime: for how many seconds it is accepted. */
    sign(claims, lifetime) {
      const body = `${encode({ alg: signer.alg, typ: "JWT", kid: given.sign })}.${encode({ ...claims, iat: now(), exp: now() + lifetime })}`;
      return `${body}.${signer.sign(body).toString("base64url")}`;
    },

    /** What a token says, undefined where no key of the set signed it or its time is over. */
    verify(token) {
      try {
        const [head, body, signature] = token.split(".");
        const { kid, alg } = decode(head);
        const key = keys.get(kid);
        // The key says by which algorithm it verifies; the token, which anybody can write, does not.
        if (!key || key.alg !== alg || !key.verify(`${head}.${body}`, Buffer.from(signature, "base64url"))) return undefined;
        const claims = decode(body);
        return claims.exp > now() ? claims : undefined;
      } catch {
        return undefined;
      }
    },

    /** The JSON Web Key Set for whoever only verifies. */
    published: () => ({ keys: [...keys.values()].flatMap((key) => key.published ?? []) }),
  };
}
