-- Commands to terminals (docs/commands.md): a text to the driver, a question to the device, a parameter, a lock. Each is a row of
-- terminal_commands, whose state is what its thread of events comes to (telemetry/commands/steps.py, written by thread.py alone).

-- The gateway processes that live, and which of them holds which terminal. A gateway renews alive_until; who is late is taken for
-- gone by the others, and its rows with it. Written in batches, nothing for a position.
CREATE TABLE terminal_gateways (
    id          uuid PRIMARY KEY,                  -- of the process: another one after each start
    host        text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    alive_until timestamptz NOT NULL
);
COMMENT ON TABLE terminal_gateways IS 'Gateway processes; one that is late (alive_until) is gone.';
CREATE TABLE terminal_presence (
    terminal_no integer PRIMARY KEY,               -- terminals.no; no foreign key: a terminal that logs in takes no lock there
    gateway     uuid NOT NULL REFERENCES terminal_gateways (id) ON DELETE CASCADE,
    since       timestamptz NOT NULL               -- when it logged in; of two gateways the later one has it
) WITH (fillfactor = 70);
COMMENT ON TABLE terminal_presence IS 'Which gateway holds which terminal now.';
CREATE INDEX terminal_presence_gateway ON terminal_presence (gateway);

CREATE TABLE terminal_commands (
    no           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation text NOT NULL,                    -- of the vehicle when it was asked: whose act it was
    vehicle      text NOT NULL,
    terminal_no  integer NOT NULL REFERENCES terminals (no),
    kind         text NOT NULL,                    -- telemetry/commands/kinds.py
    fields       jsonb NOT NULL DEFAULT '{}',
    reason       text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    asked_by     text NOT NULL,                    -- user:7
    asked_by_name text NOT NULL,
    persons      text[] NOT NULL,                  -- whose act it is: who asks, and by whom the right was delegated
    key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 64),   -- of the caller: the same again is the same command
    asked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz NOT NULL,
    -- what the thread comes to
    state        text NOT NULL CHECK (state IN ('proposed', 'queued', 'sent', 'delivered', 'answered', 'failed', 'expired', 'cancelled')),
    events       integer NOT NULL DEFAULT 0,       -- how many; the next has this number + 1
    failure      text,                             -- why it failed, a code
    attempt      integer NOT NULL DEFAULT 0,       -- how often a gateway took it
    gateway      uuid,                             -- the one that has it under way
    ended_at     timestamptz,
    CHECK ((state = 'failed') = (failure IS NOT NULL)),
    CHECK (state NOT IN ('answered', 'failed', 'expired', 'cancelled') OR ended_at IS NOT NULL),
    UNIQUE (asked_by, key)
);
COMMENT ON TABLE terminal_commands IS 'Commands to terminals, each with what its thread comes to.';
CREATE INDEX terminal_commands_queued ON terminal_commands (terminal_no, no) WHERE state = 'queued';
CREATE UNIQUE INDEX terminal_commands_one_sent ON terminal_commands (terminal_no) WHERE state = 'sent';   -- one at a time for a terminal
CREATE INDEX terminal_commands_under_way ON terminal_commands (gateway) WHERE state IN ('sent', 'delivered') AND ended_at IS NULL;
CREATE INDEX terminal_commands_ends ON terminal_commands (expires_at) WHERE state IN ('proposed', 'queued');
CREATE INDEX terminal_commands_vehicle ON terminal_commands (vehicle, no DESC);
CREATE INDEX terminal_commands_organisation ON terminal_commands (organisation, no DESC);
CREATE INDEX terminal_commands_kind ON terminal_commands (kind, no DESC);
CREATE INDEX terminal_commands_state ON terminal_commands (state, no DESC);

CREATE TABLE terminal_command_events (
    command    bigint NOT NULL REFERENCES terminal_commands (no),
    number     integer NOT NULL,                   -- 1, 2, ...
    step       text NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor      text,                               -- null = the program
    actor_name text,
    reason     text,
    detail     jsonb,                              -- what the terminal answered, decoded
    raw        bytea CHECK (octet_length(raw) <= 65536),   -- the body of its message, as it came
    PRIMARY KEY (command, number)
);
COMMENT ON TABLE terminal_command_events IS 'The thread of each command: only added to.';
CREATE TRIGGER terminal_command_events_stay BEFORE UPDATE OR DELETE ON terminal_command_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER terminal_command_events_stay_all BEFORE TRUNCATE ON terminal_command_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER terminal_commands_are_not_removed BEFORE DELETE ON terminal_commands FOR EACH ROW EXECUTE FUNCTION refuse_change();

SELECT scope_table('terminal_commands', 'SELECT, INSERT, UPDATE');
SELECT scope_table('terminal_command_events', 'SELECT, INSERT', 'EXISTS (SELECT FROM terminal_commands c WHERE c.no = command)');
SELECT audit_table('terminal_commands', 'commands', 'no', 'r ->> ''no''', vehicle => 'r ->> ''vehicle''');
