-- What the program says to drivers by itself, and the fences that terminals hold (docs/reminders.md). Both go as commands
-- (terminal_commands), asked by a subject of the program's own.

-- Vehicles that are sealed (封存): they must not move. SQL lives in src/registry/seals.py.
CREATE TABLE vehicle_seals (
    no           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation text NOT NULL REFERENCES organisations (id),   -- of the vehicle when it was sealed, for the audit
    vehicle      text NOT NULL REFERENCES vehicles (id),
    sealed_from  timestamptz NOT NULL,
    sealed_to    timestamptz CHECK (sealed_to >= sealed_from),  -- null: until somebody lifts it
    reason       text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    written_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE vehicle_seals IS 'When vehicles are sealed (封存); of one vehicle one at a time.';
CREATE UNIQUE INDEX vehicle_seals_one ON vehicle_seals (vehicle) WHERE sealed_to IS NULL;
CREATE INDEX vehicle_seals_until ON vehicle_seals (sealed_to);
SELECT scope_table('vehicle_seals', 'SELECT, INSERT, UPDATE', 'EXISTS (SELECT FROM vehicles v WHERE v.id = vehicle)');
SELECT audit_table('vehicle_seals', 'seals', 'no', 'r ->> ''vehicle''', vehicle => 'r ->> ''vehicle''');

-- What drivers were reminded of: written in the transaction that has asked for the command, by src/rules/alerts/reminders.py.
CREATE TABLE reminders (
    no           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key          text NOT NULL UNIQUE,             -- names the episode: the same again is the same reminder
    condition    text NOT NULL CHECK (condition IN ('left_without_order', 'order_overdue', 'sealed_moved', 'speed')),
    organisation text NOT NULL,                    -- of the vehicle then
    vehicle      text NOT NULL,
    vehicle_no   integer NOT NULL,
    order_id     text,                             -- the order that is overdue
    about        timestamptz NOT NULL,             -- the fix that shows it
    asked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    command      bigint NOT NULL UNIQUE REFERENCES terminal_commands (no)
);
COMMENT ON TABLE reminders IS 'What drivers were reminded of by the program; how it went is in the command.';
CREATE INDEX reminders_vehicle ON reminders (vehicle_no, about);
CREATE INDEX reminders_recent ON reminders (vehicle_no, condition, asked_at);
CREATE INDEX reminders_order ON reminders (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX reminders_organisation ON reminders (organisation, no DESC);
SELECT scope_table('reminders', 'SELECT', 'organisation = ANY ((SELECT reach_units())::text[])', 'false');

-- Which fences go to terminals: a fence, or ('') every fence of a unit. SQL of these tables: src/registry/areas.
CREATE TABLE fences_sent_down (
    organisation text NOT NULL REFERENCES organisations (id),   -- the fence's unit, or the unit whose fences all go
    fence        text NOT NULL DEFAULT '',
    since        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organisation, fence)
);
COMMENT ON TABLE fences_sent_down IS 'Fences that the office wants in the terminals; an empty fence means all of the unit.';
SELECT scope_table('fences_sent_down', 'SELECT, INSERT, DELETE');
SELECT audit_table('fences_sent_down', 'fences', 'organisation, fence', 'r ->> ''fence''');

-- The number of a fence in terminals (a DWORD): always the same one.
CREATE TABLE fence_areas (
    area_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fence   text NOT NULL UNIQUE
);
COMMENT ON TABLE fence_areas IS 'The area id (JT/T 808, DWORD) of each fence that was ever sent to a terminal.';

CREATE TABLE terminal_areas (
    terminal_no     integer NOT NULL REFERENCES terminals (no),
    fence           text NOT NULL,
    organisation    text NOT NULL,                 -- of the fence
    vehicle         text NOT NULL,                 -- in which the terminal sits, or sat last
    area_id         integer NOT NULL,              -- fence_areas
    wanted_version  integer,                       -- of the fence; null: it must not be there
    wanted_shape    text,
    holds_version   integer,                       -- what the terminal has confirmed; null: nothing, or nobody knows
    may_hold        text[] NOT NULL DEFAULT '{}',  -- shapes as which it may be there
    command         bigint REFERENCES terminal_commands (no),   -- the last one about it
    command_sets    integer,                       -- the version that it sets; null: it deletes
    command_shape   text,
    under_way       boolean NOT NULL DEFAULT false,
    sure            boolean NOT NULL DEFAULT true, -- whether it was known what was there when the command was asked
    refusal         text,                          -- why the fence cannot be sent, a code: it has holes, parts, too many vertices
    failure         text,                          -- why the last command failed, a code
    failures        integer NOT NULL DEFAULT 0,
    retry_at        timestamptz,                   -- null with a failure: not before the office says so
    settled_at      timestamptz NOT NULL DEFAULT clock_timestamp(),   -- a terminal that registers or restarts later may have lost it
    PRIMARY KEY (terminal_no, fence)
);
COMMENT ON TABLE terminal_areas IS 'Which fence each terminal has to hold, and which it holds as far as it has confirmed.';
CREATE INDEX terminal_areas_under_way ON terminal_areas (command) WHERE under_way;
CREATE INDEX terminal_areas_fence ON terminal_areas (fence, terminal_no);
SELECT scope_table('terminal_areas', 'SELECT, UPDATE');
