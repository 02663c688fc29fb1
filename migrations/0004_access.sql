-- Who may use the API. SQL of this table lives in src/api/auth.
CREATE TABLE api_tokens (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    sha256     bytea NOT NULL UNIQUE CHECK (octet_length(sha256) = 32),  -- of a random 256-bit token
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
