-- Positions that could not be stored or judged for a fault of the program. A record that fails is tried again alone, then row
-- by row; what still fails is put here, in the transaction that moves the offset on. So one record stops nobody, and nothing is
-- lost: what was taken from the log is stored, a duplicate, rejected or here. A row goes when it was stored after all
-- (`gongche quarantine retry`), or with the positions of its time, at the end of the retention.
-- SQL of this table lives in src/rules/live/store/quarantine.py.
CREATE TABLE quarantine (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic        text NOT NULL,        -- the log, as in log_offsets
    partition    integer NOT NULL,
    "offset"     bigint NOT NULL,      -- the record that these positions came in
    terminal_no  integer,              -- null: the record could not be decoded
    rows         integer,              -- positions in payload; null: not known
    stage        text NOT NULL,        -- where it failed: decode, partitions, or a step of rules.live.transaction
    error        text NOT NULL,        -- bounded
    payload      bytea NOT NULL,       -- a record of the log: the whole one, or one of these positions alone
    program      text NOT NULL,        -- the version that failed
    set_aside_at timestamptz NOT NULL,
    attempts     integer NOT NULL DEFAULT 1,
    tried_at     timestamptz NOT NULL, -- the last attempt
    asked_at     timestamptz           -- somebody has asked for another attempt
);
CREATE INDEX quarantine_asked ON quarantine (asked_at, id) WHERE asked_at IS NOT NULL;
CREATE INDEX quarantine_age ON quarantine (set_aside_at);

-- A vehicle whose computation fails is put off, like a subject of the judge: again after five minutes, then ever later. The
-- others are computed meanwhile. attempts = 0: it did not fail.
ALTER TABLE recomputations
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN error    text,
    ADD COLUMN retry_at timestamptz;
-- In the order in which they are taken: the next ones are found without reading the others.
DROP INDEX recomputations_order;
CREATE INDEX recomputations_order ON recomputations (urgency, (begun IS NULL), seq);
CREATE INDEX recomputations_failed ON recomputations (retry_at) WHERE retry_at IS NOT NULL;
