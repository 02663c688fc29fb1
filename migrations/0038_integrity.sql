-- Tamper evidence (src/office/integrity): rows that are never changed are linked in chains of blocks, a chain a stream. A block is
-- made after the commit of its rows, by one process at a time, so that nobody who writes waits for another one. What was written
-- and is in no block yet stands in seal_pending. docs/decisions/0025-chains-after-the-commit.md says why it is built so.
CREATE TABLE seal_pending (
    no       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream   text NOT NULL,
    key      text NOT NULL,                 -- JSON list: what names the row
    noted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX seal_pending_next ON seal_pending (stream, no);

-- Who may sign. ``previous`` and ``signature``: the key before it says so, where there is one.
CREATE TABLE seal_keys (
    id         text PRIMARY KEY,            -- first 32 hex digits of the SHA-256 of the public key
    public     bytea NOT NULL CHECK (octet_length(public) = 32),   -- Ed25519
    previous   text REFERENCES seal_keys (id),
    signature  bytea,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE seal_blocks (
    stream    text NOT NULL,
    number    bigint NOT NULL CHECK (number > 0),
    header    text NOT NULL,                -- canonical JSON; what is hashed and signed
    keys      text[] NOT NULL,              -- of its rows, in their order
    sha256s   bytea NOT NULL,               -- of each row, 32 bytes each; zeros: the row was gone before it was sealed
    sm3s      bytea NOT NULL,
    sha256    bytea NOT NULL,               -- of the header
    sm3       bytea NOT NULL,
    key_id    text NOT NULL REFERENCES seal_keys (id),
    signature bytea NOT NULL,               -- Ed25519 of the header
    sealed_at timestamptz NOT NULL,
    PRIMARY KEY (stream, number)
);
CREATE INDEX seal_blocks_keys ON seal_blocks USING gin (keys);
COMMENT ON TABLE seal_blocks IS 'Written by the sealer only. Who changes a row of it breaks the chain.';

-- The positions that evidence rests on, as they were when the evidence was sealed: everything stored of its terminals in its time.
CREATE TABLE evidence_positions (
    sha256  bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),   -- of the evidence
    made_at timestamptz NOT NULL,
    fixes   integer NOT NULL,               -- of its tracks
    absent  integer NOT NULL,               -- of them not in the table, or with other values, when it was sealed
    spans   jsonb NOT NULL,                 -- [[terminal, from_us, to_us, last received_us], ...], device times, both included
    rows    bytea NOT NULL,                 -- a position: terminal int4, device time int8 (us), fingerprint int8, SHA-256[:12]
    sm3     bytea NOT NULL                  -- of the texts of all of them
);

-- What left the quarantine: positions that come late though they were received early (src/rules/live/store/quarantine.py).
CREATE TABLE quarantine_ended (
    id           bigint PRIMARY KEY,        -- of the entry
    terminal_no  integer,                   -- null: not known
    set_aside_at timestamptz NOT NULL,
    ended_at     timestamptz NOT NULL
);
CREATE FUNCTION note_quarantine_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO quarantine_ended SELECT o.id, o.terminal_no, o.set_aside_at, clock_timestamp() FROM old_rows o
        ON CONFLICT (id) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER note_ended AFTER DELETE ON quarantine REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_quarantine_ended();

CREATE FUNCTION seal_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER seal_blocks_stay BEFORE UPDATE OR DELETE ON seal_blocks FOR EACH ROW EXECUTE FUNCTION seal_refuses();
CREATE TRIGGER seal_keys_stay BEFORE UPDATE OR DELETE ON seal_keys FOR EACH ROW EXECUTE FUNCTION seal_refuses();
CREATE TRIGGER evidence_positions_stay BEFORE UPDATE OR DELETE ON evidence_positions
    FOR EACH ROW EXECUTE FUNCTION seal_refuses();
CREATE TRIGGER quarantine_ended_stay BEFORE UPDATE OR DELETE ON quarantine_ended
    FOR EACH ROW EXECUTE FUNCTION seal_refuses();

-- Has the rows of a table sealed: those that are there, and each that comes. ``key``: SQL of the values that name the row n. For
-- the tables of later migrations, too; src/office/integrity/streams.py has the same key.
CREATE FUNCTION seal_table(place regclass, stream text, key text, ordered text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE FUNCTION seal_note_%s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = %I, pg_temp AS %L',
        stream, current_schema(), format(
        'BEGIN INSERT INTO seal_pending (stream, key) SELECT %L, json_build_array(%s)::text FROM new_rows n; RETURN NULL; END',
        stream, key));
    EXECUTE format('CREATE TRIGGER seal_note AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT'
        ' EXECUTE FUNCTION seal_note_%s()', place, stream);
    EXECUTE format('INSERT INTO seal_pending (stream, key) SELECT %L, json_build_array(%s)::text FROM %s n ORDER BY %s',
        stream, key, place, ordered);
END $$;

SELECT seal_table('evidence', 'evidence', 'encode(n.sha256, ''hex''), n.month', 'n.created_at');
SELECT seal_table('evidence_positions', 'positions', 'encode(n.sha256, ''hex'')', 'n.made_at');
SELECT seal_table('evaluations', 'evaluations', 'n.id, (extract(epoch FROM n.evaluated_at) * 1000000)::bigint', 'n.id');
SELECT seal_table('alert_versions', 'alerts', 'n.alert_id, n.version', 'n.created_at');
SELECT seal_table('alert_feed', 'feed', 'n.seq', 'n.seq');
SELECT seal_table('alert_receipts', 'receipts', 'n.alert_id, n.version, n.subject_kind, n.subject_id', 'n.received_at');
SELECT seal_table('alert_dispositions', 'dispositions', 'n.no', 'n.no');
SELECT seal_table('case_events', 'case_events', 'n.case_id, n.version', 'n.at');
SELECT seal_table('case_attachments', 'attachments', 'n.id', 'n.uploaded_at');
SELECT seal_table('alert_labels', 'labels', 'n.id', 'n.id');
SELECT seal_table('complaint_reads', 'caller_reads', 'n.id', 'n.id');
SELECT seal_table('quarantine_ended', 'quarantine', 'n.id', 'n.id');
SELECT seal_table('audit', 'audit', 'n.no, (extract(epoch FROM n.at) * 1000000)::bigint', 'n.no');

-- The blocks of some rows, whoever asks: digests, never contents. Who asks knows the keys already; those of others are not told.
CREATE FUNCTION seal_proofs(wanted_stream text, wanted text[])
    RETURNS TABLE (key text, number bigint, place bigint, header text, sha256s bytea, sm3s bytea, key_id text, signature bytea)
    LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT k.key, b.number, k.place - 1, b.header, b.sha256s, b.sm3s, b.key_id, b.signature
      FROM seal_blocks b CROSS JOIN LATERAL unnest(b.keys) WITH ORDINALITY AS k (key, place)
     WHERE b.stream = wanted_stream AND b.keys && wanted AND k.key = ANY (wanted) ORDER BY b.number, k.place
$$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION seal_proofs(text, text[]) SET search_path = %I, pg_temp', current_schema());
END $$;

-- Requests read no table of the chains: what a bundle needs they get by functions. Evidence's positions go with the evidence.
CREATE FUNCTION seal_public_keys() RETURNS TABLE (id text, public bytea, previous text, signature bytea)
    LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT k.id, k.public, k.previous, k.signature FROM seal_keys k ORDER BY k.created_at, k.id
$$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION seal_public_keys() SET search_path = %I, pg_temp', current_schema());
END $$;
SELECT scope_table('evidence_positions', 'SELECT', 'EXISTS (SELECT FROM evidence_of_alerts e WHERE e.sha256 = evidence_positions.sha256)', 'false');
REVOKE EXECUTE ON FUNCTION seal_table(regclass, text, text, text) FROM PUBLIC;
