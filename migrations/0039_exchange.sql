-- Exchange between levels (省、市、县三级互联): src/office/exchange, docs/exchange.md, docs/decisions/0026-exchange.md.
--
-- What came from another instance is kept here, apart from the own registry: it was judged where it came from.

-- What this instance calls itself towards others.
CREATE TABLE exchange_self (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{0,31}$')
);

-- The instances that we exchange with: a list that the operator makes on the machine (gongche exchange peer).
--   above: we push to it and pull from it, as its OAuth2 client ``client_id``.
--   below: it comes to us as our OAuth2 client ``client_id``, and reaches what that client reaches.
CREATE TABLE exchange_peers (
    name           text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9-]{0,31}$'),
    direction      text NOT NULL CHECK (direction IN ('above', 'below')),
    organisation   text NOT NULL,            -- who sees its state: the first of units, or the unit of its client
    client_id      text NOT NULL,
    url            text,
    units          text[] NOT NULL DEFAULT '{}',   -- above: what is pushed is of these and of what is below them
    kinds          text[] NOT NULL DEFAULT '{}',
    mapping        text,                     -- file of the mapping to the receiver's fields; null = records as they are
    enabled        boolean NOT NULL DEFAULT true,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CHECK (direction = 'below' OR (url IS NOT NULL AND units <> '{}'))
);
CREATE UNIQUE INDEX exchange_peers_client ON exchange_peers (client_id) WHERE direction = 'below';

-- The secret of our client at a peer above, sealed with the identity key. No request reads it.
CREATE TABLE exchange_secrets (
    peer   text PRIMARY KEY REFERENCES exchange_peers (name) ON DELETE CASCADE,
    sealed bytea NOT NULL
);

-- How it goes with a peer above. Its place in the outbox of changes is the row 'exchange:<name>' of change_readers.
CREATE TABLE exchange_states (
    peer           text PRIMARY KEY REFERENCES exchange_peers (name) ON DELETE CASCADE,
    feed_seq       bigint NOT NULL DEFAULT 0,      -- how far the feed of alerts was taken
    snapshot_kind  text,                           -- the first copy of everything: what it is at; null = it is done
    snapshot_after text NOT NULL DEFAULT '',
    pull_cursor    text,
    pulled_at      timestamptz,
    last_ok_at     timestamptz,
    last_error     text,
    last_error_at  timestamptz,
    retry_at       timestamptz
);

-- What has still to be told to a peer: one row for a record, however often it changed. It goes when the peer has confirmed
-- that it keeps the record durably, and nothing changed meanwhile (another ticket). ``origin`` '' = our own record.
CREATE SEQUENCE exchange_tickets;
CREATE TABLE exchange_queue (
    peer           text NOT NULL REFERENCES exchange_peers (name) ON DELETE CASCADE,
    kind           text NOT NULL,
    origin         text NOT NULL DEFAULT '',
    id             text NOT NULL,
    urgency        smallint NOT NULL,
    ticket         bigint NOT NULL,
    noted_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    refused_code   text,                     -- not null: the peer will not take it: a dead letter
    refused_id     text,                     -- its id as the peer knows it
    refused_version bigint,                  -- the version that the peer has
    refused_detail text,
    refused_at     timestamptz,
    PRIMARY KEY (peer, kind, origin, id)
);
CREATE INDEX exchange_queue_next ON exchange_queue (peer, urgency, ticket) WHERE refused_code IS NULL;
CREATE INDEX exchange_queue_oldest ON exchange_queue (peer, kind, noted_at) WHERE refused_code IS NULL;
CREATE INDEX exchange_queue_refused ON exchange_queue (peer, refused_at, kind, origin, id) WHERE refused_code IS NOT NULL;

-- What a peer was told: a version is bound to a content before it is sent, and never given to another one.
CREATE TABLE exchange_sent (
    peer         text NOT NULL REFERENCES exchange_peers (name) ON DELETE CASCADE,
    kind         text NOT NULL,
    origin       text NOT NULL,
    id           text NOT NULL,              -- as the peer knows it: of a secret vehicle the masked one
    version      bigint NOT NULL,
    sha256       bytea NOT NULL,
    gone         boolean NOT NULL DEFAULT false,
    confirmed    boolean NOT NULL DEFAULT false,
    known        boolean NOT NULL DEFAULT false,   -- confirmed, but not kept: the peer keeps that unit itself
    sent_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_at timestamptz,
    PRIMARY KEY (peer, kind, origin, id)
);

-- Through which peer an origin comes to us. The first one to bring it keeps it.
CREATE TABLE exchange_origins (
    origin text PRIMARY KEY,
    peer   text NOT NULL REFERENCES exchange_peers (name)
);

-- What came from others. ``organisation``: the unit of ours whose people see it; ``unit``: as the origin names it.
-- ``payload`` null: the origin took the record back.
CREATE TABLE exchange_records (
    no           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin       text NOT NULL,
    kind         text NOT NULL,
    id           text NOT NULL,
    peer         text NOT NULL REFERENCES exchange_peers (name),
    organisation text NOT NULL,
    unit         text NOT NULL,
    version      bigint NOT NULL CHECK (version > 0),
    sha256       bytea NOT NULL,
    payload      jsonb,
    status       text,
    happened_at  timestamptz NOT NULL,
    first_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    received_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (origin, kind, id)
);
CREATE INDEX exchange_records_listed ON exchange_records (kind, happened_at DESC, no DESC);
CREATE INDEX exchange_records_of_units ON exchange_records (organisation, kind, happened_at DESC, no DESC);
CREATE INDEX exchange_records_units ON exchange_records (id) WHERE kind = 'unit';
CREATE INDEX exchange_records_peer ON exchange_records (peer, kind);

-- Per peer and kind: what arrived, and what the peer says that it was confirmed. A difference is a gap.
CREATE TABLE exchange_arrivals (
    peer           text NOT NULL REFERENCES exchange_peers (name) ON DELETE CASCADE,
    kind           text NOT NULL,
    stored         bigint NOT NULL DEFAULT 0,
    unchanged      bigint NOT NULL DEFAULT 0,
    refused        bigint NOT NULL DEFAULT 0,
    last_refusal   text,
    last_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    said_confirmed bigint,
    said_waiting   bigint,
    said_at        timestamptz,
    PRIMARY KEY (peer, kind)
);

-- Notices (通知) of an office to the units below it.
CREATE TABLE exchange_notices (
    id           text PRIMARY KEY,
    organisation text NOT NULL,
    title        text NOT NULL,
    body         text NOT NULL,
    published_by text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX exchange_notices_listed ON exchange_notices (published_at DESC, id);

-- Changes that the outbox (0016) did not have yet.
CREATE TRIGGER note_unit_record_insert AFTER INSERT ON organisations REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('unit', 'r.id', '');
CREATE TRIGGER note_unit_record_update AFTER UPDATE ON organisations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('unit', 'r.id', '');
CREATE TRIGGER note_driver_insert AFTER INSERT ON drivers REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('driver', 'r.id', '');
CREATE TRIGGER note_driver_update AFTER UPDATE ON drivers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('driver', 'r.id', '');
CREATE TRIGGER note_case_insert AFTER INSERT ON cases REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('case', 'r.id', '');
CREATE TRIGGER note_case_update AFTER UPDATE ON cases REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('case', 'r.id', '', '', '',
        'jsonb_build_array(r.id, r.version, r.organisation, r.number, r.state, r.due_on, r.reminders, r.finding)');
CREATE TRIGGER note_disposition_code_insert AFTER INSERT ON disposition_codes REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('disposition_code', 'r.code', '');
CREATE TRIGGER note_disposition_code_update AFTER UPDATE ON disposition_codes REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('disposition_code', 'r.code', '');
CREATE TRIGGER note_notice_insert AFTER INSERT ON exchange_notices REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('notice', 'r.id', '');
CREATE TRIGGER note_received_insert AFTER INSERT ON exchange_records REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('received', 'r.no::text', '');
CREATE TRIGGER note_received_update AFTER UPDATE ON exchange_records REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('received', 'r.no::text', '', '', '',
        'jsonb_build_array(r.no, r.version, r.sha256::text, r.organisation)');
COMMENT ON COLUMN changes.kind IS
    'What changed (subject): order (id; of every vehicle that its versions name), fence (id; by vehicle or by unit),'
    ' vehicle (id), vehicle_status (id of a vehicle whose unit or dates of registration changed), plate (a plate that a'
    ' vehicle or a card binding has or had), terminal_binding (the terminal''s phone number), card (id), card_binding (the'
    ' card), transaction (id), fills (card of which a transaction was changed or deleted), station (id), violation (id),'
    ' offences (plate of which a violation was changed or deleted), calendar (day), parameter (rule.name; of a unit and the'
    ' units below it, or of all), result (id of an order that was settled), track (vehicle whose stored positions were taken'
    ' up again), unit (id), driver (id), case (id), disposition_code (code), notice (id), received (exchange_records.no)';

-- What a peer below may ask of the whole database, whatever its reach, and nothing more.
CREATE FUNCTION exchange_own_name() RETURNS text LANGUAGE sql STABLE AS $$ SELECT name FROM exchange_self $$;

-- Those of ``ids`` that this instance has itself.
CREATE FUNCTION exchange_owned(kind text, ids text[]) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT o.id FROM organisations o WHERE exchange_owned.kind = 'unit' AND o.id = ANY (ids)
    UNION ALL SELECT v.id FROM vehicles v WHERE exchange_owned.kind = 'vehicle' AND v.id = ANY (ids)
    UNION ALL SELECT d.id FROM drivers d WHERE exchange_owned.kind = 'driver' AND d.id = ANY (ids)
    UNION ALL SELECT t.id FROM dispatch_orders t WHERE exchange_owned.kind = 'order' AND t.id = ANY (ids)
    UNION ALL SELECT a.id FROM alerts a WHERE exchange_owned.kind = 'alert' AND a.id = ANY (ids)
    UNION ALL SELECT c.id FROM cases c WHERE exchange_owned.kind = 'case' AND c.id = ANY (ids)
$$;

-- Where units are: 'ours' = in our tree; 'peer' = came from this peer; 'other' = came from another one. Others are left out.
CREATE FUNCTION exchange_units(names text[], through text) RETURNS TABLE (unit text, place text) LANGUAGE sql STABLE AS $$
    SELECT n, CASE WHEN EXISTS (SELECT FROM organisations o WHERE o.id = n) THEN 'ours'
                   WHEN EXISTS (SELECT FROM exchange_records r WHERE r.kind = 'unit' AND r.id = n AND r.peer = through
                                   AND r.payload IS NOT NULL) THEN 'peer'
                   ELSE 'other' END
      FROM unnest(names) AS n
     WHERE EXISTS (SELECT FROM organisations o WHERE o.id = n) OR EXISTS (SELECT FROM exchange_records r WHERE r.kind = 'unit' AND r.id = n)
$$;

-- Those of the keys that are here under units that the caller does not reach.
CREATE FUNCTION exchange_hidden(origins text[], kinds text[], ids text[]) RETURNS TABLE (origin text, kind text, id text)
LANGUAGE sql STABLE AS $$
    SELECT r.origin, r.kind, r.id FROM unnest(origins, kinds, ids) AS u (o, k, i)
      JOIN exchange_records r ON r.origin = u.o AND r.kind = u.k AND r.id = u.i
     WHERE r.organisation <> ALL ((SELECT reach_units())::text[])
$$;

-- Who brings an origin; ``through`` from now on, where nobody does yet.
CREATE FUNCTION exchange_claim(wanted text, through text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    owner text;
BEGIN
    IF EXISTS (SELECT FROM exchange_peers p WHERE p.name = wanted AND p.name <> through) THEN
        RETURN wanted;  -- it comes to us by itself
    END IF;
    IF (SELECT count(*) FROM exchange_origins o WHERE o.peer = through) < 500 THEN  -- a province has some hundred counties
        INSERT INTO exchange_origins (origin, peer) VALUES (wanted, through) ON CONFLICT (origin) DO NOTHING;
    END IF;
    SELECT o.peer INTO owner FROM exchange_origins o WHERE o.origin = wanted;
    RETURN owner;
END $$;

-- The changes after a place that a peer below may be concerned by, of the next ``most`` changes; the last row is the place
-- (kind null; subject: how many were looked at). No row at all: what came after the place is not kept any more.
CREATE FUNCTION exchange_down(after_number bigint, after_seq bigint, most integer)
    RETURNS TABLE (number bigint, seq bigint, kind text, subject text) LANGUAGE sql STABLE AS $$
    WITH part AS MATERIALIZED (
        SELECT k.number, c.seq, c.kind, c.subject FROM change_commits k JOIN changes c ON c.commit_id = k.id
         WHERE k.number >= after_number AND (k.number > after_number OR c.seq > after_seq)
           AND (SELECT COALESCE(min(m.number) <= after_number, true) FROM change_commits m)
         ORDER BY k.number, c.seq LIMIT most)
    SELECT * FROM (
        SELECT p.number, p.seq, p.kind, p.subject FROM part p WHERE p.kind IN ('case', 'disposition_code', 'notice', 'received')
        UNION ALL
        SELECT COALESCE(l.number, after_number), COALESCE(l.seq, after_seq), NULL, (SELECT count(*) FROM part)::text
          FROM (SELECT 1) AS one
          LEFT JOIN (SELECT p.number, p.seq FROM part p ORDER BY p.number DESC, p.seq DESC LIMIT 1) l ON true
         WHERE (SELECT COALESCE(min(m.number) <= after_number, true) FROM change_commits m)) AS f (number, seq, kind, subject)
     ORDER BY f.kind IS NULL, f.number, f.seq
$$;
-- The number of the newest change.
CREATE FUNCTION exchange_now() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT COALESCE(max(k.number), 0) FROM change_commits k
$$;

DO $$
DECLARE
    each regprocedure;
BEGIN
    FOR each IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname IN (
        'exchange_own_name', 'exchange_owned', 'exchange_hidden', 'exchange_units', 'exchange_claim', 'exchange_down', 'exchange_now') LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;

SELECT scope_table('exchange_peers', 'SELECT', 'organisation = ANY ((SELECT reach_units())::text[])', 'false');
SELECT scope_table('exchange_states', 'SELECT', 'EXISTS (SELECT FROM exchange_peers p WHERE p.name = peer)', 'false');
SELECT scope_table('exchange_queue', 'SELECT', 'EXISTS (SELECT FROM exchange_peers p WHERE p.name = peer)', 'false');
SELECT scope_table('exchange_sent', 'SELECT', 'EXISTS (SELECT FROM exchange_peers p WHERE p.name = peer)', 'false');
-- Their ids are those that we know records by: of secret vehicles they are seen by who may know.
SELECT secret_table(t, 'cardinality((SELECT hidden_nos())::integer[]) = 0 OR NOT CASE kind WHEN ''vehicle'' THEN id = ANY ((SELECT hidden_ids())::text[])'
    ' WHEN ''order'' THEN order_hidden(id, (SELECT hidden_ids())::text[])'
    ' WHEN ''alert'' THEN alert_hidden(id, (SELECT hidden_ids())::text[], (SELECT hidden_plates())::text[], (SELECT hidden_cards())::text[])'
    ' WHEN ''case'' THEN case_hidden(id, (SELECT hidden_ids())::text[], (SELECT hidden_plates())::text[], (SELECT hidden_cards())::text[])'
    ' ELSE false END') FROM unnest(ARRAY['exchange_queue', 'exchange_sent']::regclass[]) AS t;
-- What an office tells all below it is seen by all below it.
SELECT scope_table('exchange_records', 'SELECT, INSERT, UPDATE',
    'organisation = ANY ((SELECT reach_units())::text[])'
    ' OR kind IN (''notice'', ''code'') AND organisation = ANY ((SELECT reach_above())::text[])',
    'organisation = ANY ((SELECT reach_units())::text[])');
SELECT scope_table('exchange_arrivals', 'SELECT, INSERT, UPDATE', 'EXISTS (SELECT FROM exchange_peers p WHERE p.name = peer)');
SELECT scope_table('exchange_notices', 'SELECT, INSERT',
    'organisation = ANY ((SELECT reach_units())::text[]) OR organisation = ANY ((SELECT reach_above())::text[])',
    'organisation = ANY ((SELECT reach_units())::text[])');

SELECT audit_table('exchange_peers', 'exchange-peers', 'name', 'r ->> ''name''');
SELECT audit_table('exchange_notices', 'exchange-notices');
