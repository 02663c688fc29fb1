-- What terminals report that is no position (docs/terminal-reports.md): driver cards, attributes, pictures, recorder data, waybills, events.
-- Written by the worker from the topic of reports (src/telemetry/reports), each message once.

CREATE TABLE terminal_reports (
    no           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    terminal_no  integer NOT NULL,                 -- terminals.no
    vehicle      text,                             -- in which the terminal sat at that time, as the registry says now (see below)
    organisation text,                             -- of that vehicle when the report was bound to it
    kind         text NOT NULL,                    -- telemetry/reports/kinds.py
    message      integer NOT NULL,                 -- id of JT/T 808
    edition      smallint NOT NULL,
    serial       integer NOT NULL,
    at           timestamptz NOT NULL,             -- device_time where that can be believed, else received_at
    device_time  timestamptz,                      -- as the terminal says, where the message has one
    received_at  timestamptz NOT NULL,
    lat_e6       integer,                          -- where the terminal sent a position with it, WGS-84
    lon_e6       integer,
    detail       jsonb NOT NULL DEFAULT '{}',      -- as the tables of the standard have it
    body         bytea,                            -- as it came; null for files
    body_bytes   integer NOT NULL,
    fingerprint  bytea NOT NULL CHECK (octet_length(fingerprint) = 32),   -- SHA-256 of the body
    CHECK ((lat_e6 IS NULL) = (lon_e6 IS NULL))
);
COMMENT ON TABLE terminal_reports IS 'Messages of terminals that are no positions, each once.';
CREATE INDEX terminal_reports_known ON terminal_reports (terminal_no, fingerprint);
CREATE INDEX terminal_reports_vehicle ON terminal_reports (vehicle, kind, no DESC);
CREATE INDEX terminal_reports_organisation ON terminal_reports (organisation, kind, no DESC);
CREATE INDEX terminal_reports_kind ON terminal_reports (kind, no DESC);
CREATE INDEX terminal_reports_age ON terminal_reports (received_at);

-- A card put in or pulled out (0x0702): a fact for who drove, for fuel and orders.
CREATE TABLE driver_card_events (
    report      bigint PRIMARY KEY REFERENCES terminal_reports (no) ON DELETE CASCADE,
    action      text NOT NULL CHECK (action IN ('in', 'out', 'told', 'unknown')),  -- told: 2011 says who drives, and no more
    read_result smallint,                          -- 0 the card was read, 1 key refused, 2 locked, 3 pulled out, 4 wrong checksum
    name        text NOT NULL DEFAULT '',
    certificate text NOT NULL DEFAULT '',          -- 从业资格证编码
    issuer      text NOT NULL DEFAULT '',
    valid_until date,
    id_number   text NOT NULL DEFAULT ''           -- 身份证号: shown to nobody as a whole
);
COMMENT ON TABLE driver_card_events IS 'Driver cards put in and pulled out.';

-- Pictures, sounds, films (0x0801). The file is in a folder, named by its hash.
CREATE TABLE terminal_media (
    report       bigint PRIMARY KEY REFERENCES terminal_reports (no) ON DELETE CASCADE,
    terminal_no  integer NOT NULL,
    media_id     bigint NOT NULL,
    media_type   smallint NOT NULL,
    format       smallint NOT NULL,
    event        smallint NOT NULL,
    channel      smallint NOT NULL,
    content_type text NOT NULL,                    -- by its content
    as_claimed   boolean NOT NULL,                 -- whether that is what the terminal says
    bytes        bigint NOT NULL,
    sha256       bytea NOT NULL CHECK (octet_length(sha256) = 32),
    state        text NOT NULL CHECK (state IN ('stored', 'refused_full', 'refused_terminal_full', 'expired'))
);
COMMENT ON TABLE terminal_media IS 'Pictures, sounds and films of terminals; refused_full and refused_terminal_full: there was no room, the file is not there.';
CREATE INDEX terminal_media_stored ON terminal_media (sha256) WHERE state = 'stored';
-- What files take, kept in the transactions that store them; terminal 0 = all together.
CREATE TABLE terminal_media_usage (
    terminal_no integer PRIMARY KEY,
    bytes       bigint NOT NULL CHECK (bytes >= 0),
    files       bigint NOT NULL CHECK (files >= 0)
);

-- What could not be stored; it stopped nothing.
CREATE TABLE terminal_reports_aside (
    no          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic       text NOT NULL,
    partition   integer NOT NULL,
    "offset"    bigint NOT NULL,
    number      integer NOT NULL,                  -- within the record
    terminal_no integer,
    message     integer,
    why         text NOT NULL CHECK (why IN ('rejected', 'fault', 'record')),   -- what came was wrong; the program failed; no record of ours
    error       text NOT NULL,
    body        bytea NOT NULL,                    -- whole of a fault, the beginning of others
    body_bytes  integer NOT NULL,
    received_at timestamptz,
    set_aside_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (topic, partition, "offset", number)
);
COMMENT ON TABLE terminal_reports_aside IS 'Reports that could not be stored, and why.';
CREATE INDEX terminal_reports_aside_age ON terminal_reports_aside (set_aside_at);

-- How far the topic was processed; moved in the transaction that stored what came before.
CREATE TABLE terminal_report_offsets (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint NOT NULL,
    claim       text NOT NULL DEFAULT '',
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition)
);

-- Terminals whose bindings have changed: what they reported is bound anew. Only added to by requests, so nobody waits for anybody.
CREATE TABLE terminal_report_rebinds (
    no          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    terminal_no integer NOT NULL
);
CREATE FUNCTION rebind_terminal_reports() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO 'public', 'pg_temp' AS $$
BEGIN
    INSERT INTO terminal_report_rebinds (terminal_no) SELECT DISTINCT c.terminal_no FROM changed_rows c;
    RETURN NULL;
END $$;
CREATE TRIGGER rebind_reports_insert AFTER INSERT ON terminal_bindings REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION rebind_terminal_reports();
CREATE TRIGGER rebind_reports_update AFTER UPDATE ON terminal_bindings REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION rebind_terminal_reports();
CREATE TRIGGER rebind_reports_delete AFTER DELETE ON terminal_bindings REFERENCING OLD TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION rebind_terminal_reports();

SELECT scope_table('terminal_reports', 'SELECT', 'organisation = ANY ((SELECT reach_units())::text[])', 'false');
-- Also what a terminal sent that sat in a secret vehicle, and at that time in none that is known.
SELECT secret_table('terminal_reports', 'CASE WHEN vehicle IS NULL THEN terminal_no <> ALL ((SELECT hidden_terminals())::integer[])'
    ' ELSE vehicle <> ALL ((SELECT hidden_ids())::text[]) END');
SELECT scope_table('driver_card_events', 'SELECT', 'EXISTS (SELECT FROM terminal_reports r WHERE r.no = report)', 'false');
SELECT scope_table('terminal_media', 'SELECT', 'EXISTS (SELECT FROM terminal_reports r WHERE r.no = report)', 'false');
SELECT secret_table('driver_card_events', 'EXISTS (SELECT FROM terminal_reports r WHERE r.no = report)');
SELECT secret_table('terminal_media', 'EXISTS (SELECT FROM terminal_reports r WHERE r.no = report)');
