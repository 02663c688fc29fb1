-- Messages to people by mail, webhook and bots (src/office/messages); sealed secrets of webhooks; alerts by the state of their case.

-- 1. Where messages go. A channel belongs to a person or to a unit (a group's bot), never to both.
CREATE TABLE message_channels (
    no           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    person       text REFERENCES users (id),
    organisation text,                     -- of a unit's channel
    about        text CHECK (about IN ('unit', 'office')),  -- of a unit's channel: what the unit has to do, or what the office has to do with it and the units below it
    kind         text NOT NULL CHECK (kind IN ('email', 'webhook', 'wecom', 'dingtalk', 'feishu')),
    shown        text NOT NULL CHECK (length(shown) BETWEEN 1 AND 200),  -- the address, without what opens it
    enabled      boolean NOT NULL DEFAULT true,
    made_by      text NOT NULL,            -- user:7
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    confirmed_at timestamptz,              -- null: nothing but the code is sent there
    code_sha256  bytea,                    -- of the code that confirms it
    code_ends_at timestamptz,
    code_tries   integer NOT NULL DEFAULT 0,
    CHECK ((person IS NULL) = (organisation IS NOT NULL) AND (organisation IS NULL) = (about IS NULL))
);
CREATE INDEX message_channels_of_persons ON message_channels (person) WHERE person IS NOT NULL;
CREATE INDEX message_channels_of_units ON message_channels (organisation) WHERE organisation IS NOT NULL;

-- The address and the signing secret of a channel, sealed with the identity key: the address of a bot is its password. A table of its
-- own: nothing that lists or shows reads it, and the audit notes nothing of it.
CREATE TABLE message_addresses (
    channel_no bigint PRIMARY KEY REFERENCES message_channels (no) ON DELETE CASCADE,
    address    bytea NOT NULL,
    secret     bytea
);

-- How a channel does: what waits for it is sent by one process at a time.
CREATE TABLE message_lanes (
    channel_no    bigint PRIMARY KEY REFERENCES message_channels (no) ON DELETE CASCADE,
    waits_since   timestamptz,              -- null: nothing waits
    not_before    timestamptz NOT NULL DEFAULT now(),
    failures      integer NOT NULL DEFAULT 0,  -- one after the other
    failing_since timestamptz,
    last_error    text,
    skipped       integer NOT NULL DEFAULT 0,  -- did not fit into the queue any more; the next digest counts them
    lease         uuid,
    leased_until  timestamptz
);
CREATE INDEX message_lanes_waiting ON message_lanes (not_before) WHERE waits_since IS NOT NULL;

-- One message on its way to one channel. Either it is about a step of a case, or it carries a code.
CREATE TABLE message_outbox (
    no         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel_no bigint NOT NULL REFERENCES message_channels (no) ON DELETE CASCADE,
    message_id bigint REFERENCES messages (id),
    code       bytea,                       -- sealed
    urgent     boolean NOT NULL DEFAULT false,
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead')),
    batch      bigint,                      -- what was first sent together stays together: the same Message-ID when it is sent again
    attempts   integer NOT NULL DEFAULT 0,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    since      timestamptz NOT NULL DEFAULT now(),  -- tried since then: when it was made, or last sent again by hand
    ended_at   timestamptz,
    UNIQUE (channel_no, message_id),
    CHECK ((message_id IS NULL) = (code IS NOT NULL) OR state <> 'waiting')
);
CREATE INDEX message_outbox_waiting ON message_outbox (channel_no, no) WHERE state = 'waiting';
CREATE INDEX message_outbox_oldest ON message_outbox (since) WHERE state = 'waiting';
CREATE INDEX message_outbox_listed ON message_outbox (channel_no, no DESC);
CREATE INDEX message_outbox_dead ON message_outbox (no DESC) WHERE state = 'dead';
CREATE INDEX message_outbox_ended ON message_outbox (ended_at) WHERE ended_at IS NOT NULL;

-- When a person wants to be left alone: minutes of the day in China. Urgent messages come all the same.
CREATE TABLE message_quiet_hours (
    person     text PRIMARY KEY REFERENCES users (id),
    from_min   smallint NOT NULL CHECK (from_min BETWEEN 0 AND 1439),
    to_min     smallint NOT NULL CHECK (to_min BETWEEN 0 AND 1439),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- How much a bot still takes: kept here, so that a process that was killed, or a second one, does not send more. ``key``: SHA-256 of the
-- bot's address, for two channels may name one bot.
CREATE TABLE message_budgets (
    key    bytea PRIMARY KEY,
    tokens double precision NOT NULL,
    at     timestamptz NOT NULL
);

-- How many codes somebody has had sent: nobody has the program write to a stranger's address again and again.
CREATE TABLE message_code_counts (
    subject text PRIMARY KEY,
    since   timestamptz NOT NULL DEFAULT now(),
    codes   integer NOT NULL
);

-- Messages whose receivers have not been looked up yet.
CREATE TABLE message_fanout (
    message_id bigint PRIMARY KEY REFERENCES messages (id)
);
CREATE FUNCTION queue_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO message_fanout (message_id) SELECT id FROM new_rows;
    PERFORM pg_notify('gongche_messages', '');
    RETURN NULL;
END $$;
CREATE TRIGGER messages_are_sent AFTER INSERT ON messages REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION queue_messages();

-- A request sees its own channels and those of its units.
SELECT scope_table('message_channels', 'SELECT, INSERT, UPDATE, DELETE',
    '''user:'' || person = current_setting(''gongche.subject'', true) OR organisation = ANY ((SELECT reach_units())::text[])');
SELECT scope_table('message_addresses', 'SELECT, INSERT, UPDATE, DELETE', 'EXISTS (SELECT FROM message_channels c WHERE c.no = channel_no)');
SELECT scope_table('message_lanes', 'SELECT, INSERT, UPDATE', 'EXISTS (SELECT FROM message_channels c WHERE c.no = channel_no)');
SELECT scope_table('message_outbox', 'SELECT, INSERT, UPDATE, DELETE', 'EXISTS (SELECT FROM message_channels c WHERE c.no = channel_no)');
SELECT scope_table('message_quiet_hours', 'SELECT, INSERT, UPDATE, DELETE', '''user:'' || person = current_setting(''gongche.subject'', true)');
SELECT scope_table('message_code_counts', 'SELECT, INSERT, UPDATE', 'subject = current_setting(''gongche.subject'', true)');
SELECT audit_table('message_channels', 'message-channels', 'no', 'replace(r ->> ''id'', ''-'', '''')');
SELECT audit_table('message_quiet_hours', 'message-quiet-hours', 'person', 'r ->> ''person''', 'NULL::text');

-- 2. Secrets of webhooks are sealed with the identity key. The database does not know that key: what is there already is sealed by the
-- first process that starts (src/office/subscriptions/keys.py, seal_plain).
ALTER TABLE webhook_secrets ALTER COLUMN secret DROP NOT NULL;
ALTER TABLE webhook_secrets ADD COLUMN sealed bytea;
ALTER TABLE webhook_secrets ADD CONSTRAINT webhook_secrets_sealed CHECK ((secret IS NULL) <> (sealed IS NULL));
CREATE INDEX webhook_secrets_plain ON webhook_secrets (no) WHERE secret IS NOT NULL;
COMMENT ON COLUMN webhook_secrets.secret IS 'As releases before migration 41 kept it; sealed and emptied by the first process that starts.';

-- 3. Alerts by the state of their case and by what the office found. Kept by triggers, for supervision alone: judging reads neither.
ALTER TABLE alerts ADD COLUMN case_state text NOT NULL DEFAULT 'none';
ALTER TABLE alerts ADD COLUMN finding text NOT NULL DEFAULT 'none';
COMMENT ON COLUMN alerts.case_state IS 'State of its open case, else of its newest one; none = it was never in a case. Kept by triggers of cases and case_links.';
COMMENT ON COLUMN alerts.finding IS 'Its newest label of a closed case; none = it has none. Kept by triggers of alert_labels and cases.';

-- The state of the case that counts for each of ``wanted``, and the newest label that stands: of a case that is closed. The rows are
-- taken in the order of their ids: two transactions that write the same alerts wait for each other, never both.
CREATE FUNCTION set_case_states(wanted text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM alerts WHERE id = ANY (wanted) ORDER BY id FOR NO KEY UPDATE;
    UPDATE alerts a SET case_state = n.state, finding = n.finding
      FROM (SELECT w.id,
                   COALESCE((SELECT c.state FROM case_links l JOIN cases c ON c.id = l.case_id
                              WHERE l.kind = 'alert' AND l.ref = w.id
                              ORDER BY l.open DESC, c.created_at DESC, c.id DESC LIMIT 1), 'none') AS state,
                   COALESCE((SELECT l.finding FROM alert_labels l JOIN cases c ON c.id = l.case_id AND c.state = 'closed'
                              WHERE l.alert_id = w.id ORDER BY l.id DESC LIMIT 1), 'none') AS finding
              FROM unnest(wanted) AS w (id)) n
     WHERE a.id = n.id AND (a.case_state, a.finding) IS DISTINCT FROM (n.state, n.finding);
END $$;
CREATE FUNCTION note_linked_alerts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM set_case_states((SELECT array_agg(DISTINCT ref) FROM old_rows WHERE kind = 'alert'));
    ELSE
        PERFORM set_case_states((SELECT array_agg(DISTINCT ref) FROM new_rows WHERE kind = 'alert'));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION note_case_states() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_case_states((SELECT array_agg(DISTINCT l.ref) FROM new_rows n JOIN old_rows o USING (id)
        JOIN case_links l ON l.case_id = n.id AND l.kind = 'alert' WHERE n.state <> o.state));
    RETURN NULL;
END $$;
CREATE FUNCTION note_findings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_case_states((SELECT array_agg(DISTINCT alert_id) FROM new_rows));
    RETURN NULL;
END $$;
CREATE TRIGGER alerts_of_new_links AFTER INSERT ON case_links REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_linked_alerts();
CREATE TRIGGER alerts_of_changed_links AFTER UPDATE ON case_links REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_linked_alerts();
CREATE TRIGGER alerts_of_old_links AFTER DELETE ON case_links REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_linked_alerts();
CREATE TRIGGER alerts_of_cases AFTER UPDATE ON cases REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_case_states();
CREATE TRIGGER alerts_of_labels AFTER INSERT ON alert_labels REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_findings();

-- They write tables that a request may only read, or not even that.
DO $$
DECLARE
    each regprocedure;
BEGIN
    FOR each IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname IN (
        'queue_messages', 'set_case_states', 'note_linked_alerts', 'note_case_states', 'note_findings')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION set_case_states(text[]) FROM PUBLIC;

SELECT set_case_states((SELECT array_agg(DISTINCT ref) FROM (SELECT ref FROM case_links WHERE kind = 'alert'
    UNION SELECT alert_id FROM alert_labels) AS f (ref)));
CREATE INDEX alerts_by_case ON alerts (case_state, detected_at DESC, id);
CREATE INDEX alerts_by_finding ON alerts (finding, detected_at DESC, id);
