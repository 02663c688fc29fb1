-- How the inspection system gets the alerts and answers them. SQL of these tables lives in src/office/subscriptions.

-- A named place in the feed, kept for its owner (the subject that made it). What the owner may see is looked up anew at each
-- reading and each delivery; nothing of it is stored here.
CREATE TABLE subscriptions (
    no            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_kind    text NOT NULL CHECK (owner_kind IN ('user', 'client', 'token', 'program')),
    owner_id      text NOT NULL,
    name          text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    organisations text[],              -- units, each with those below it; null = all
    rules         text[],              -- null = all
    severities    text[],              -- null = all
    statuses      text[],              -- null = all
    envelope      text NOT NULL DEFAULT 'plain' CHECK (envelope IN ('plain', 'cloudevents')),
    committed     bigint NOT NULL DEFAULT 0 CHECK (committed >= 0),  -- alert_feed.seq; everything up to it is safe with the reader
    committed_at  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (owner_kind, owner_id, name)
);

-- Where the entries of a subscription are sent by themselves.
CREATE TABLE webhooks (
    subscription_no bigint PRIMARY KEY REFERENCES subscriptions (no) ON DELETE CASCADE,
    url             text NOT NULL CHECK (length(url) <= 2000),
    filled          bigint NOT NULL CHECK (filled >= 0),  -- alert_feed.seq; up to it the entries are in webhook_deliveries
    failing_since   timestamptz,         -- null = the last delivery succeeded
    disabled_at     timestamptz,         -- null = it delivers
    disabled_reason text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);

-- What deliveries are signed with. A table of its own: no query that lists or shows anything reads it, only the one that signs
-- (src/office/subscriptions/keys.py). A secret is kept as it is, for HMAC needs it so.
CREATE TABLE webhook_secrets (
    no              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_no bigint NOT NULL REFERENCES webhooks (subscription_no) ON DELETE CASCADE,
    secret          bytea NOT NULL CHECK (octet_length(secret) BETWEEN 24 AND 64),
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz          -- null = the present one
);
CREATE UNIQUE INDEX webhook_secrets_present ON webhook_secrets (subscription_no) WHERE expires_at IS NULL;
CREATE INDEX webhook_secrets_of ON webhook_secrets (subscription_no);

-- One entry of the feed on its way to one webhook.
CREATE TABLE webhook_deliveries (
    no              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_no bigint NOT NULL REFERENCES webhooks (subscription_no) ON DELETE CASCADE,
    seq             bigint NOT NULL CHECK (seq > 0),
    alert_id        text NOT NULL,
    version         integer NOT NULL,
    organisation    text NOT NULL,
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead', 'withheld')),
    attempts        integer NOT NULL DEFAULT 0,    -- since it was last put on its way
    due_at          timestamptz NOT NULL DEFAULT now(),
    lease           uuid,                          -- who sends it now
    leased_until    timestamptz,
    last_error      text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz,                   -- when it was delivered, given up or withheld
    UNIQUE (subscription_no, seq)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (subscription_no, seq) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_order ON webhook_deliveries (subscription_no, alert_id, seq) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_listed ON webhook_deliveries (subscription_no, state, no);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (subscription_no) WHERE state = 'dead';
COMMENT ON COLUMN webhook_deliveries.state IS 'withheld = the owner of the subscription may not see the unit of the alert any more.';

CREATE TABLE webhook_attempts (
    no          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_no bigint NOT NULL REFERENCES webhook_deliveries (no) ON DELETE CASCADE,
    at          timestamptz NOT NULL DEFAULT now(),
    took_ms     integer NOT NULL,
    status      integer,                 -- of the answer; null = there was none
    error       text,                    -- null = delivered
    answer      text                     -- its first 500 characters
);
CREATE INDEX webhook_attempts_of ON webhook_attempts (delivery_no, no);

-- Test deliveries that were asked for: the process that sends does them, whoever asked waits for the row to end.
CREATE TABLE webhook_tests (
    no              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_no bigint NOT NULL REFERENCES webhooks (subscription_no) ON DELETE CASCADE,
    asked_at        timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz,
    took_ms         integer,
    status          integer,
    error           text,
    answer          text
);
CREATE INDEX webhook_tests_open ON webhook_tests (no) WHERE ended_at IS NULL;
CREATE INDEX webhook_tests_of ON webhook_tests (subscription_no);

-- What became of alerts, as the inspection system says. Both tables only grow.
CREATE TABLE alert_receipts (
    alert_id     text NOT NULL REFERENCES alerts (id),
    version      integer NOT NULL,
    organisation text NOT NULL,          -- of the alert then
    subject_kind text NOT NULL,
    subject_id   text NOT NULL,
    subject_name text NOT NULL,
    received_by  text NOT NULL CHECK (length(received_by) BETWEEN 1 AND 200),
    received_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (alert_id, version, subject_kind, subject_id),
    FOREIGN KEY (alert_id, version) REFERENCES alert_versions (alert_id, version)
);

CREATE TABLE disposition_codes (
    code       text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9_]{0,62}$'),
    zh         text NOT NULL CHECK (length(zh) BETWEEN 1 AND 100),
    en         text NOT NULL CHECK (length(en) BETWEEN 1 AND 200),
    active     boolean NOT NULL DEFAULT true,
    updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO disposition_codes (code, zh, en) VALUES
    ('inquiry_letter', '谈话函询', 'talk or letter of inquiry'),
    ('preliminary_check', '初步核实', 'preliminary verification'),
    ('case_filed', '立案审查调查', 'case filed for review and investigation'),
    ('kept_for_reference', '暂存待查', 'kept for later reference'),
    ('closed', '予以了结', 'closed'),
    ('transferred', '移送', 'transferred to another authority');

CREATE TABLE alert_dispositions (
    no           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id     text NOT NULL REFERENCES alerts (id),
    id           text NOT NULL CHECK (length(id) BETWEEN 1 AND 64),  -- given by the sender: the same one twice is one
    organisation text NOT NULL,          -- of the alert then
    version      integer NOT NULL,       -- of the alert that was disposed of
    code         text NOT NULL REFERENCES disposition_codes (code),
    note         text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    decided_by   text NOT NULL CHECK (length(decided_by) BETWEEN 1 AND 200),
    subject_kind text NOT NULL,
    subject_id   text NOT NULL,
    subject_name text NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (alert_id, id),
    FOREIGN KEY (alert_id, version) REFERENCES alert_versions (alert_id, version)
);

CREATE FUNCTION refuse_change_of_answers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME;
END $$;
CREATE TRIGGER alert_receipts_only_grow BEFORE UPDATE OR DELETE ON alert_receipts
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_answers();
CREATE TRIGGER alert_dispositions_only_grow BEFORE UPDATE OR DELETE ON alert_dispositions
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_answers();

-- "Not confirmed for so long", and "again from then on".
CREATE INDEX alerts_updated ON alerts (updated_at, id);
CREATE INDEX alert_feed_created ON alert_feed (created_at, seq);

-- A stretch of the feed and its end, whoever asks. The place of a reader goes on past what it may not see: else a reader of a
-- small unit would look at everybody's entries again each time. Nothing but numbers and ids is told here; what stands in an entry
-- is read from alert_versions, by whoever may.
CREATE FUNCTION feed_part(after bigint, most integer)
    RETURNS TABLE (seq bigint, alert_id text, version integer, created_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT f.seq, f.alert_id, f.version, f.created_at FROM alert_feed f WHERE f.seq > after ORDER BY f.seq LIMIT most
$$;
CREATE FUNCTION feed_end() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT COALESCE(max(f.seq), 0) FROM alert_feed f
$$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION feed_part(bigint, integer) SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION feed_end() SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $$;

-- Under the reach of whoever asks (0031).
SELECT scope_table('subscriptions', 'SELECT, INSERT, UPDATE, DELETE',
    'owner_kind || '':'' || owner_id = current_setting(''gongche.subject'', true)');
SELECT scope_table('webhooks', 'SELECT, INSERT, UPDATE, DELETE', 'EXISTS (SELECT FROM subscriptions s WHERE s.no = subscription_no)');
SELECT scope_table('webhook_secrets', 'SELECT, INSERT, UPDATE, DELETE', 'EXISTS (SELECT FROM subscriptions s WHERE s.no = subscription_no)');
SELECT scope_table('webhook_deliveries', 'SELECT, UPDATE', 'EXISTS (SELECT FROM subscriptions s WHERE s.no = subscription_no)');
SELECT scope_table('webhook_attempts', 'SELECT', 'EXISTS (SELECT FROM webhook_deliveries d WHERE d.no = delivery_no)', 'false');
SELECT scope_table('webhook_tests', 'SELECT, INSERT', 'EXISTS (SELECT FROM subscriptions s WHERE s.no = subscription_no)');
SELECT scope_table('alert_receipts', 'SELECT, INSERT');
SELECT scope_table('alert_dispositions', 'SELECT, INSERT');
SELECT scope_table('disposition_codes', 'SELECT, INSERT, UPDATE', 'true', 'false');

-- Noted in the audit (0032). Of a subscription only that it was made or deleted: its place moves with every page that is read.
-- Secrets are not noted; a new one touches its webhook.
CREATE TRIGGER audit_insert AFTER INSERT ON subscriptions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION audit_changes('subscriptions', 'no', 'r ->> ''name''', 'NULL::text', 'NULL::text', 'NULL::jsonb');
CREATE TRIGGER audit_delete AFTER DELETE ON subscriptions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
    EXECUTE FUNCTION audit_changes('subscriptions', 'no', 'r ->> ''name''', 'NULL::text', 'NULL::text', 'NULL::jsonb');
SELECT audit_table('webhooks', 'webhooks', 'subscription_no', 'r ->> ''subscription_no''', 'NULL::text');
SELECT audit_table('alert_receipts', 'alert-receipts', 'alert_id, version, subject_kind, subject_id', 'r ->> ''alert_id''');
SELECT audit_table('alert_dispositions', 'alert-dispositions', 'no', 'r ->> ''alert_id''');
SELECT audit_table('disposition_codes', 'disposition-codes', 'code', 'r ->> ''code''', 'NULL::text');
