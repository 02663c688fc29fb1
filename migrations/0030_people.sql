-- People and programs: who they are, which roles they have, how they come in. SQL of these tables: src/office/identity/.
-- None of them is under row-level security: they are read to find out who asks, before anybody knows what he may see.

CREATE TABLE users (
    id                   text PRIMARY KEY,   -- the login name as names.login_name writes it: NFKC, lower case
    name                 text NOT NULL,
    organisation         text REFERENCES organisations (id),  -- the unit that the person belongs to; null: to none
    phone                text,
    email                text,
    password_hash        text,               -- argon2id; null: comes in by OIDC only
    must_change_password boolean NOT NULL DEFAULT false,
    password_ends_at     timestamptz,        -- of a one-time password
    password_changed_at  timestamptz,
    totp_secret          bytea,              -- AES-GCM under the key file of the API
    totp_confirmed_at    timestamptz,
    totp_step            bigint,             -- the step of the last code that was accepted: each code counts once
    disabled_at          timestamptz,
    disabled_by          text,
    created_at           timestamptz NOT NULL DEFAULT now(),
    created_by           text NOT NULL       -- a user's id, or what did it
);
CREATE INDEX users_by_organisation ON users (organisation, id);

-- A role of a person in a unit and all units below it (organisation null: everywhere), in [valid_from, valid_to).
CREATE TABLE role_grants (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id      text NOT NULL REFERENCES users (id),
    role         text NOT NULL,
    organisation text REFERENCES organisations (id),
    valid_from   timestamptz NOT NULL,
    valid_to     timestamptz CHECK (valid_to > valid_from),
    granted_at   timestamptz NOT NULL DEFAULT now(),
    granted_by   text NOT NULL,
    taken_at     timestamptz,
    taken_by     text
);
CREATE INDEX role_grants_of_user ON role_grants (user_id);

-- Somebody else holds a grant for a period (委托). It points to the grant itself, so a delegation cannot be delegated, and it
-- ends with the grant.
CREATE TABLE delegations (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    grant_id   bigint NOT NULL REFERENCES role_grants (id),
    to_user    text NOT NULL REFERENCES users (id),
    valid_from timestamptz NOT NULL,
    valid_to   timestamptz NOT NULL CHECK (valid_to > valid_from),
    reason     text NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now(),
    made_by    text NOT NULL,
    ended_at   timestamptz,
    ended_by   text
);
CREATE INDEX delegations_of_grant ON delegations (grant_id);
CREATE INDEX delegations_to_user ON delegations (to_user);

CREATE TABLE sessions (
    id         text PRIMARY KEY,             -- names it in lists; no secret
    sha256     bytea NOT NULL UNIQUE CHECK (octet_length(sha256) = 32),  -- of the random 256 bits in the cookie
    user_id    text NOT NULL REFERENCES users (id),
    method     text NOT NULL CHECK (method IN ('password', 'password+code', 'oidc')),
    began_at   timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now(),  -- to a minute
    ends_at    timestamptz NOT NULL,
    ended_at   timestamptz,
    ended_why  text,
    address    text NOT NULL,
    agent      text NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user_id, seen_at DESC);
CREATE INDEX sessions_seen ON sessions (seen_at);

CREATE TABLE recovery_codes (
    user_id text NOT NULL REFERENCES users (id),
    sha256  bytea NOT NULL,                  -- of 80 random bits
    used_at timestamptz,
    PRIMARY KEY (user_id, sha256)
);

-- Who somebody is at an identity provider; an administrator says so.
CREATE TABLE oidc_links (
    issuer    text NOT NULL,
    subject   text NOT NULL,
    user_id   text NOT NULL REFERENCES users (id),
    linked_at timestamptz NOT NULL DEFAULT now(),
    linked_by text NOT NULL,
    PRIMARY KEY (issuer, subject),
    UNIQUE (user_id, issuer)
);

-- Logins that were sent to the identity provider and have not come back. Each row is used once and then deleted.
CREATE TABLE oidc_logins (
    state_sha256   bytea PRIMARY KEY,
    browser_sha256 bytea NOT NULL,           -- of the cookie of the browser that began it
    nonce          text NOT NULL,
    verifier       text NOT NULL,            -- PKCE
    address        text NOT NULL,            -- one address begins only so many
    began_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX oidc_logins_began ON oidc_logins (began_at);

-- Programs that come in by OAuth2 client credentials.
CREATE TABLE clients (
    id           text PRIMARY KEY,
    name         text NOT NULL,
    scopes       text[] NOT NULL,
    organisation text REFERENCES organisations (id),  -- sees it and all units below it; null: everything
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text NOT NULL,
    disabled_at  timestamptz
);

CREATE TABLE client_secrets (
    id           text PRIMARY KEY,
    client_id    text NOT NULL REFERENCES clients (id),
    sha256       bytea NOT NULL UNIQUE CHECK (octet_length(sha256) = 32),  -- of a random 256-bit secret
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX client_secrets_of_client ON client_secrets (client_id);

CREATE TABLE client_tokens (
    sha256     bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    secret_id  text NOT NULL REFERENCES client_secrets (id),  -- ends with its secret
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX client_tokens_expire ON client_tokens (expires_at);
CREATE INDEX client_tokens_of_secret ON client_tokens (secret_id);

-- Failures to come in, by user name and by address (a hash of each), and until when nothing is tried.
CREATE TABLE login_failures (
    key          bytea PRIMARY KEY,
    failures     integer NOT NULL DEFAULT 0,
    last_at      timestamptz NOT NULL DEFAULT now(),
    locked_until timestamptz
);
CREATE INDEX login_failures_last ON login_failures (last_at);
