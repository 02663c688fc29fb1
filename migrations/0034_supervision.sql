-- Supervision orders (督办单), complaints of the hotline 12345, findings, tasks, messages (src/office/supervision).

-- A case as it stands: what its thread comes to, kept beside it so that lists need no replay. Written with each event, in
-- its transaction. Days are days in China.
CREATE TABLE cases (
    id           text PRIMARY KEY,
    organisation text NOT NULL,              -- the responsible unit
    number       text UNIQUE,                -- null: not issued
    state        text NOT NULL,
    version      integer NOT NULL CHECK (version > 0),
    source       text NOT NULL,
    level        text NOT NULL,
    title        text NOT NULL,
    vehicle      text,
    external_no  text,
    finding      text,
    reminders    integer NOT NULL DEFAULT 0,
    announced    boolean NOT NULL DEFAULT false,   -- more than so many working days over its term: for the bulletin (通报)
    proposal     text,                       -- 'cancel': an alert of it was withdrawn
    created_at   timestamptz NOT NULL,
    issued_at    timestamptz,
    due_on       date,                       -- of the unit; null: its clock does not run, or the term is undetermined
    yellow_from  date,
    undetermined boolean NOT NULL DEFAULT false,   -- a clock runs, and a day of its term is not published
    look_on      date                        -- the next day on which the clock has something to do; null: none
);
CREATE INDEX cases_listed ON cases (created_at DESC, id);
CREATE INDEX cases_of_units ON cases (organisation, created_at DESC, id);
CREATE INDEX cases_due ON cases (due_on) WHERE due_on IS NOT NULL;
CREATE INDEX cases_look ON cases (look_on, id) WHERE look_on IS NOT NULL;
CREATE INDEX cases_vehicle ON cases (vehicle, created_at DESC, id) WHERE vehicle IS NOT NULL;
CREATE INDEX cases_of_sources ON cases (source, created_at DESC, id);
CREATE INDEX cases_found ON cases (finding, created_at DESC, id) WHERE finding IS NOT NULL;
CREATE INDEX cases_states ON cases (state, organisation);

-- The thread: what the state is derived from. Nothing in it is ever changed.
CREATE TABLE case_events (
    case_id    text NOT NULL REFERENCES cases (id),
    version    integer NOT NULL CHECK (version > 0),
    step       text NOT NULL,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,                -- who did it: user:7; '' = the program by itself
    persons    text[] NOT NULL,              -- whose act it is: the actor, and by whom the right was delegated
    actor_name text NOT NULL,
    address    text NOT NULL DEFAULT '',     -- from where, and with what
    device     text NOT NULL DEFAULT '',
    internal   boolean NOT NULL DEFAULT false,
    body       jsonb NOT NULL,
    PRIMARY KEY (case_id, version)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER case_events_stay BEFORE UPDATE OR DELETE ON case_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER case_events_stay_all BEFORE TRUNCATE ON case_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What a case is about besides its vehicle: kind 'alert', 'order' or 'complaint'. An alert is in one open case.
CREATE TABLE case_links (
    case_id text NOT NULL REFERENCES cases (id),
    kind    text NOT NULL CHECK (kind IN ('alert', 'order', 'complaint')),
    ref     text NOT NULL,
    open    boolean NOT NULL,
    noted   boolean NOT NULL DEFAULT false,  -- that the alert was withdrawn is in the thread
    PRIMARY KEY (case_id, kind, ref)
);
CREATE UNIQUE INDEX case_links_one_open ON case_links (ref) WHERE kind = 'alert' AND open;
CREATE INDEX case_links_of_alerts ON case_links (ref, kind);
CREATE INDEX case_links_watched ON case_links (ref) WHERE kind = 'alert' AND open AND NOT noted;

-- The last number that a unit has in a year. The row is locked from the taking of a number to the end of that transaction:
-- what is rolled back gives its number back, and there is no gap.
CREATE TABLE case_numbers (
    organisation text NOT NULL,
    year         integer NOT NULL,
    last         integer NOT NULL CHECK (last > 0),
    PRIMARY KEY (organisation, year)
);

CREATE TABLE case_attachments (
    id              text PRIMARY KEY,
    case_id         text NOT NULL REFERENCES cases (id),
    name            text NOT NULL,
    media_type      text NOT NULL,
    size            integer NOT NULL CHECK (size > 0),
    sha256          bytea NOT NULL CHECK (octet_length(sha256) = 32),
    received_sha256 bytea NOT NULL CHECK (octet_length(received_sha256) = 32),  -- as it came, before positions were removed
    uploaded_by     text NOT NULL,
    uploaded_at     timestamptz NOT NULL,
    body            bytea NOT NULL
);
CREATE INDEX case_attachments_of ON case_attachments (case_id, uploaded_at, id);
CREATE TRIGGER case_attachments_stay BEFORE UPDATE OR DELETE ON case_attachments FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Complaints of the hotline. ``caller``: name and phone, encrypted with a key that is not in the database.
CREATE TABLE complaints (
    id           text PRIMARY KEY,
    organisation text NOT NULL,              -- of the vehicle, else as it was given, else ''
    ticket       text NOT NULL UNIQUE,
    category     text NOT NULL CHECK (category IN ('emergency', 'inquiry', 'report')),
    received_at  timestamptz NOT NULL,
    claim        text NOT NULL,
    plate        text,
    place        text,
    happened_at  timestamptz,
    vehicle      text,
    caller       bytea,
    caller_key   text,
    channel      text NOT NULL CHECK (channel IN ('form', 'file', 'webhook')),
    entered_by   text NOT NULL,
    entered_at   timestamptz NOT NULL
);
CREATE INDEX complaints_listed ON complaints (received_at DESC, id);
-- Who looked at a caller, and why.
CREATE TABLE complaint_reads (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    complaint_id text NOT NULL REFERENCES complaints (id),
    person       text NOT NULL,
    reason       text NOT NULL,
    address      text NOT NULL,
    at           timestamptz NOT NULL
);
CREATE TRIGGER complaint_reads_stay BEFORE UPDATE OR DELETE ON complaint_reads FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What the office found about an alert. The newest row of an alert holds.
CREATE TABLE alert_labels (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id     text NOT NULL,
    case_id      text NOT NULL REFERENCES cases (id),
    organisation text NOT NULL,
    finding      text NOT NULL,
    cause        text,
    person       text NOT NULL,
    at           timestamptz NOT NULL
);
CREATE INDEX alert_labels_of ON alert_labels (alert_id, id DESC);
CREATE TRIGGER alert_labels_stay BEFORE UPDATE OR DELETE ON alert_labels FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What must be put right in the data.
CREATE TABLE tasks (
    id           text PRIMARY KEY,
    organisation text NOT NULL,
    kind         text NOT NULL,
    subject      text NOT NULL,
    case_id      text NOT NULL REFERENCES cases (id),
    opened_at    timestamptz NOT NULL,
    done_at      timestamptz,
    done_by      text,
    note         text
);
CREATE INDEX tasks_listed ON tasks (opened_at DESC, id);

-- Who is told of what: everybody with the permission in the unit. Neither names nor places are in it.
CREATE TABLE messages (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation text NOT NULL,
    permission   text NOT NULL,
    case_id      text NOT NULL REFERENCES cases (id),
    number       text,
    step         text NOT NULL,
    state        text NOT NULL,
    at           timestamptz NOT NULL
);
CREATE INDEX messages_of ON messages (permission, organisation, id DESC);
CREATE TABLE message_reads (
    message_id bigint NOT NULL REFERENCES messages (id),
    person     text NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (message_id, person)
);

-- Requests reach what is of their units (migrations/0031_scope.sql). What belongs to a case, a complaint or a message goes with it,
-- and of what is only added to they may change nothing.
SELECT scope_table('cases', 'SELECT, INSERT, UPDATE');
SELECT scope_table('case_numbers', 'SELECT, INSERT, UPDATE');
SELECT scope_table('case_events', 'SELECT, INSERT', 'EXISTS (SELECT FROM cases c WHERE c.id = case_id)');
SELECT scope_table('case_links', 'SELECT, INSERT, UPDATE, DELETE', 'EXISTS (SELECT FROM cases c WHERE c.id = case_id)');
SELECT scope_table('case_attachments', 'SELECT, INSERT', 'EXISTS (SELECT FROM cases c WHERE c.id = case_id)');
SELECT scope_table('complaints', 'SELECT, INSERT');
SELECT scope_table('complaint_reads', 'SELECT, INSERT', 'EXISTS (SELECT FROM complaints c WHERE c.id = complaint_id)');
SELECT scope_table('alert_labels', 'SELECT, INSERT');
SELECT scope_table('tasks', 'SELECT, INSERT, UPDATE');
SELECT scope_table('messages', 'SELECT, INSERT');
SELECT scope_table('message_reads', 'SELECT, INSERT', 'EXISTS (SELECT FROM messages m WHERE m.id = message_id)');

-- The thread of a case says who did what; of the rest the audit does (migrations/0032_audit.sql).
SELECT audit_table('cases', 'cases', vehicle => 'r ->> ''vehicle''');
SELECT audit_table('tasks', 'tasks');
