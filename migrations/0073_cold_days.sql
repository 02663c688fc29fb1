-- Days of positions that are kept as files (docs/operations.md, Cold days; docs/decisions/0047). Written by src/telemetry/archive/cold.

CREATE TABLE cold_files (
    file           text PRIMARY KEY,                -- its name in the folder; never used for another content
    folder         text NOT NULL,                   -- path or URL, as GONGCHE_COLD_DIR was
    day            date NOT NULL,                   -- UTC, of the device time of all its rows
    state          text NOT NULL DEFAULT 'writing' CHECK (state IN ('writing', 'cold', 'discarded')),
    changed_at     timestamptz NOT NULL DEFAULT now(),
    layout         smallint,                        -- telemetry/archive/cold/layout.py
    rows           bigint CHECK (rows > 0),
    bytes          bigint CHECK (bytes > 0),
    sha256         bytea CHECK (octet_length(sha256) = 32),
    footer_sha256  bytea CHECK (octet_length(footer_sha256) = 32),
    first_terminal integer,
    last_terminal  integer,
    group_firsts   integer[],                       -- the first terminal of each row group
    CHECK (state <> 'cold' OR num_nulls(layout, rows, bytes, sha256, footer_sha256, first_terminal, last_terminal, group_firsts) = 0)
);
COMMENT ON TABLE cold_files IS 'Files of positions that are in no partition any more: writing = not whole yet, to be removed when nobody writes it; cold = what it holds is read from it; discarded = replaced or past the retention, to be removed after a day.';
CREATE INDEX cold_files_read ON cold_files (day, first_terminal, last_terminal) WHERE state = 'cold';
CREATE INDEX cold_files_left ON cold_files (changed_at) WHERE state <> 'cold';

CREATE TABLE cold_terminals (
    terminal_no integer PRIMARY KEY,                -- terminals.no
    first_day   date NOT NULL,
    last_day    date NOT NULL CHECK (last_day >= first_day)
);
COMMENT ON TABLE cold_terminals IS 'Between which days a terminal may have positions in files: nobody else is looked for there.';

CREATE TABLE cold_touched (
    no  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day date NOT NULL
);
COMMENT ON TABLE cold_touched IS 'A row was written to the partition of this day while it was being moved to files: the move begins again.';

CREATE FUNCTION cold_touch() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN INSERT INTO cold_touched (day) VALUES (TG_ARGV[0]::date); RETURN NULL; END$$;
COMMENT ON FUNCTION cold_touch() IS 'Trigger of a partition of positions whose rows are being copied to a file.';

SELECT scope_table('cold_files', 'SELECT', 'true', 'false');
-- As positions: whoever sees none of a terminal sees no days of it. What of a secret vehicle is hidden is left out row by row, by the reader.
SELECT scope_table('cold_terminals', 'SELECT', 'EXISTS (SELECT FROM terminal_bindings b WHERE b.terminal_no = cold_terminals.terminal_no)', 'false');
SELECT secret_table('cold_terminals', 'terminal_no <> ALL ((SELECT hidden_terminals())::integer[]) OR EXISTS (SELECT FROM terminal_bindings b WHERE b.terminal_no = cold_terminals.terminal_no)');
