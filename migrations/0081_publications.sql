-- 季度单车油耗公示; objections to publications and their answers; a publication that is corrected by another one (src/office/notices).
ALTER TABLE notices DROP CONSTRAINT notices_kind_check;
ALTER TABLE notices ADD CONSTRAINT notices_kind_check CHECK (kind IN ('notice', 'disposals', 'rentals', 'fuel'));
-- What is frozen with a publication besides its rows: days, telephone, policy of plates, how many secret vehicles are left out, definitions. '{}': of what was published before.
ALTER TABLE notices ADD COLUMN terms jsonb NOT NULL DEFAULT '{}';
ALTER TABLE notices ADD COLUMN edition integer NOT NULL DEFAULT 1 CHECK (edition > 0);
ALTER TABLE notices ADD COLUMN replaces text UNIQUE REFERENCES notices (id);
ALTER TABLE notices ADD CONSTRAINT notices_editions CHECK ((edition = 1) = (replaces IS NULL));
CREATE INDEX notices_standing ON notices (organisation, kind) WHERE withdrawn_at IS NULL AND kind <> 'notice';
-- What a row was computed from: lines of the ledger, dispatches with the readings.
ALTER TABLE notice_rows ADD COLUMN basis jsonb NOT NULL DEFAULT '{}';

-- An objection (异议) to a publication, or to one row of it; and its answer, once. Neither is ever changed.
CREATE TABLE publication_objections (
    id           text PRIMARY KEY,
    notice       text NOT NULL REFERENCES notices (id),
    row_no       integer CHECK (row_no > 0),     -- null: to the whole of it
    vehicle      text,                            -- of that row: one that becomes secret is hidden here as everywhere
    organisation text NOT NULL,                   -- for which unit somebody objects
    person       text NOT NULL,
    person_name  text NOT NULL,
    reason       text NOT NULL,
    raised_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((row_no IS NULL) = (vehicle IS NULL))
);
CREATE INDEX publication_objections_listed ON publication_objections (raised_at, id);
CREATE INDEX publication_objections_notice ON publication_objections (notice, raised_at, id);
CREATE UNIQUE INDEX publication_objections_once ON publication_objections (notice, person, COALESCE(row_no, 0));
CREATE TABLE publication_answers (
    objection     text PRIMARY KEY REFERENCES publication_objections (id),
    upheld        boolean NOT NULL,
    reason        text NOT NULL,
    answered_by   text[] NOT NULL,
    answered_name text NOT NULL,
    answered_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER publication_objections_stay BEFORE UPDATE OR DELETE ON publication_objections FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER publication_objections_stay_all BEFORE TRUNCATE ON publication_objections FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER publication_answers_stay BEFORE UPDATE OR DELETE ON publication_answers FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER publication_answers_stay_all BEFORE TRUNCATE ON publication_answers FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- How many secret vehicles of some units, within reach, are official on a day from `first` to `last`: a publication says how many it leaves out, and no more.
CREATE FUNCTION secret_among(asked text[], first date, last date) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT count(*) FROM vehicles v WHERE v.secret AND v.organisation = ANY (asked) AND unit_in_reach(v.organisation) AND v.ownership = 'owned'
       AND (v.registered_on IS NULL OR v.registered_on <= last) AND (v.disposed_on IS NULL OR v.disposed_on > first)
$$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION secret_among(text[], date, date) SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $$;

SELECT scope_table('publication_objections', 'SELECT, INSERT', 'EXISTS (SELECT FROM notices n WHERE n.id = notice)');
SELECT scope_table('publication_answers', 'SELECT, INSERT', 'EXISTS (SELECT FROM publication_objections o WHERE o.id = objection)');
SELECT audit_table('publication_objections', 'publication-objections', vehicle => 'r ->> ''vehicle''');
SELECT audit_table('publication_answers', 'publication-objections', 'objection', 'r ->> ''objection''',
    '(SELECT o.organisation FROM publication_objections o WHERE o.id = r ->> ''objection'')',
    '(SELECT o.vehicle FROM publication_objections o WHERE o.id = r ->> ''objection'')');
