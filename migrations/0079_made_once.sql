-- Idempotency-Key: what somebody made under a key of his own, so that the same request sent again makes nothing more (src/office/identity/once.py).
CREATE TABLE idempotency_keys (
    person    text NOT NULL,                  -- whose key it is: subject of the request
    operation text NOT NULL CHECK (operation IN ('trip-requests', 'cases')),
    key       text NOT NULL CHECK (key <> '' AND length(key) <= 128),
    digest    bytea NOT NULL CHECK (octet_length(digest) = 32),  -- of what was asked
    made      text,                           -- id of what was made; null only within its transaction
    made_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person, operation, key)
);
COMMENT ON TABLE idempotency_keys IS 'What was made under an Idempotency-Key; of each person his own rows only; kept for some days.';
CREATE INDEX idempotency_keys_old ON idempotency_keys (made_at);
SELECT scope_table('idempotency_keys', 'SELECT, INSERT, UPDATE', 'person = current_setting(''gongche.subject'', true)',
    'person = current_setting(''gongche.subject'', true)');
CREATE POLICY own ON idempotency_keys AS RESTRICTIVE USING (person = current_setting('gongche.subject', true))
    WITH CHECK (person = current_setting('gongche.subject', true));
