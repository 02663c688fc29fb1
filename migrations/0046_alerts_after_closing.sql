-- What becomes of a case when its alert is withdrawn, or changes, after the case was closed; units that help (协办单位) see their cases;
-- the list of dispositions is changed by those who saw its present state.

-- 1. New versions of alerts that are in cases. Judging writes one line for each and waits for nobody: the table has no key to cases or
-- alerts, for the check of one would wait for whoever holds the case. The clock of supervision reads the lines and takes them away in
-- the transaction that writes the event.
CREATE TABLE case_alert_news (
    no      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id text NOT NULL
);
CREATE INDEX case_alert_news_of ON case_alert_news (case_id);
CREATE FUNCTION note_alert_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO case_alert_news (case_id) SELECT l.case_id FROM case_links l WHERE l.ref = NEW.id AND l.kind = 'alert';
    RETURN NULL;
END $$;
CREATE TRIGGER alerts_are_news AFTER UPDATE OF version ON alerts FOR EACH ROW WHEN (NEW.version <> OLD.version)
    EXECUTE FUNCTION note_alert_news();

ALTER TABLE case_links ADD COLUMN alert_version integer;
ALTER TABLE case_links ADD COLUMN doubted boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN case_links.alert_version IS 'Version of the alert at the last end of the case, or the one that its thread told of since; null = the case never ended.';
COMMENT ON COLUMN case_links.doubted IS 'The alert was withdrawn after the case was closed, and nobody has decided yet what follows: the label does not count.';
-- Who closes a case may not see each of its alerts, so the database notes their versions.
CREATE FUNCTION note_alert_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.alert_version := (SELECT a.version FROM alerts a WHERE a.id = NEW.ref);
    RETURN NEW;
END $$;
CREATE TRIGGER case_links_end BEFORE UPDATE ON case_links FOR EACH ROW
    WHEN (NEW.kind = 'alert' AND OLD.open AND NOT NEW.open) EXECUTE FUNCTION note_alert_version();

-- A label whose alert is doubted is no finding, until somebody has decided.
CREATE OR REPLACE FUNCTION set_case_states(wanted text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM alerts WHERE id = ANY (wanted) ORDER BY id FOR NO KEY UPDATE;
    UPDATE alerts a SET case_state = n.state, finding = n.finding
      FROM (SELECT w.id,
                   COALESCE((SELECT c.state FROM case_links l JOIN cases c ON c.id = l.case_id
                              WHERE l.kind = 'alert' AND l.ref = w.id
                              ORDER BY l.open DESC, c.created_at DESC, c.id DESC LIMIT 1), 'none') AS state,
                   COALESCE((SELECT l.finding FROM alert_labels l JOIN cases c ON c.id = l.case_id AND c.state = 'closed'
                              WHERE l.alert_id = w.id AND NOT EXISTS (SELECT FROM case_links k
                                    WHERE k.case_id = l.case_id AND k.kind = 'alert' AND k.ref = l.alert_id AND k.doubted)
                              ORDER BY l.id DESC LIMIT 1), 'none') AS finding
              FROM unnest(wanted) AS w (id)) n
     WHERE a.id = n.id AND (a.case_state, a.finding) IS DISTINCT FROM (n.state, n.finding);
END $$;

-- Cases that wait for a decision: few.
CREATE INDEX cases_proposed ON cases (proposal, created_at DESC, id) WHERE proposal IS NOT NULL;

-- What there is already: of a closed case the version that its alert had then. Where there is a later one, the clock tells of it.
UPDATE case_links l SET alert_version = f.version
  FROM (SELECT k.case_id, k.ref, max(v.version) AS version FROM case_links k JOIN cases c ON c.id = k.case_id AND c.state = 'closed'
          JOIN alert_versions v ON v.alert_id = k.ref AND v.created_at <= (SELECT max(e.at) FROM case_events e
               WHERE e.case_id = c.id AND e.step = 'close' AND e.step IN ('close', 'reopen', 'accept-rectification'))
         WHERE k.kind = 'alert' GROUP BY k.case_id, k.ref) f
 WHERE l.case_id = f.case_id AND l.kind = 'alert' AND l.ref = f.ref;
INSERT INTO case_alert_news (case_id)
    SELECT DISTINCT l.case_id FROM case_links l JOIN cases c ON c.id = l.case_id AND c.state = 'closed' JOIN alerts a ON a.id = l.ref
     WHERE l.kind = 'alert' AND (a.version > l.alert_version OR a.status = 'withdrawn' AND NOT l.noted);

-- A sheet must not be closed over such a case: the threads that it is made of (0037) tell of the new step.
CREATE OR REPLACE FUNCTION assessed_threads(units text[], since timestamptz, until timestamptz, wanted text DEFAULT NULL)
RETURNS TABLE (number text, version integer, step text, at timestamptz, persons text[], body jsonb) LANGUAGE sql STABLE AS $$
    SELECT c.number, e.version, e.step, e.at, e.persons, jsonb_strip_nulls(jsonb_build_object(
               'organisation', e.body -> 'organisation', 'source', e.body -> 'source', 'level', e.body -> 'level',
               'due_on', e.body -> 'due_on', 'number', e.body -> 'number', 'finding', e.body -> 'finding',
               'measures_due', e.body -> 'measures_due', 'alert', CASE WHEN e.step IN ('alert-withdrawn', 'alert-changed') THEN to_jsonb(''::text) END,
               'hotline', CASE WHEN jsonb_typeof(e.body -> 'hotline') = 'object' THEN jsonb_build_object(
                   'category', e.body -> 'hotline' -> 'category', 'received_on', e.body -> 'hotline' -> 'received_on') END,
               'figures', (SELECT jsonb_agg(jsonb_build_object('rule', f -> 'rule', 'severity', f -> 'severity') ORDER BY o) FROM jsonb_array_elements(
                   CASE WHEN jsonb_typeof(e.body -> 'figures') = 'array' THEN e.body -> 'figures' END) WITH ORDINALITY AS x (f, o))))
      FROM cases c JOIN case_events e ON e.case_id = c.id
     WHERE c.state = 'closed' AND c.organisation = ANY ((SELECT assessed_units(units))::text[])
       AND (CASE WHEN wanted IS NULL THEN c.id IN (SELECT d.case_id FROM case_events d
               WHERE d.step = 'close' AND d.step IN ('close', 'reopen', 'accept-rectification') AND d.at >= since AND d.at < until)
            ELSE c.number = wanted END)
     ORDER BY c.number, e.version
$$;

-- 2. Units that help see a case from its issue on, as its unit does. Which these are is found once a statement: cases of other units
-- only, so they are few.
ALTER TABLE cases ADD COLUMN helpers text[] NOT NULL DEFAULT '{}';
UPDATE cases c SET helpers = f.helpers
  FROM (SELECT DISTINCT ON (e.case_id) e.case_id,
               ARRAY(SELECT jsonb_array_elements_text(CASE WHEN jsonb_typeof(e.body -> 'helpers') = 'array' THEN e.body -> 'helpers' END)) AS helpers
          FROM case_events e WHERE e.step IN ('draft', 'edit') ORDER BY e.case_id, e.version DESC) f
 WHERE f.case_id = c.id AND cardinality(f.helpers) > 0;
CREATE INDEX cases_of_helpers ON cases USING gin (helpers) WHERE number IS NOT NULL AND helpers <> '{}';
CREATE FUNCTION helped_cases(units text[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT COALESCE(array_agg(c.id), '{}') FROM cases c
     WHERE c.number IS NOT NULL AND c.helpers <> '{}' AND c.helpers && units AND c.organisation <> ALL (units)
$$;
DO $$
DECLARE
    each regprocedure;
BEGIN
    FOR each IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname IN (
        'note_alert_news', 'note_alert_version', 'set_case_states', 'assessed_threads', 'helped_cases')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;
-- They add to the thread and to the files, so they write the row: its version, and the terms that are counted anew with it. Nothing else.
CREATE POLICY helping ON cases FOR SELECT TO gongche_app USING (id = ANY ((SELECT helped_cases(reach_units()))::text[]));
CREATE POLICY helping_update ON cases FOR UPDATE TO gongche_app USING (id = ANY ((SELECT helped_cases(reach_units()))::text[]))
    WITH CHECK (id = ANY ((SELECT helped_cases(reach_units()))::text[]));
CREATE FUNCTION keep_helped_cases() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.organisation, NEW.number, NEW.state, NEW.helpers, NEW.source, NEW.level, NEW.title, NEW.vehicle, NEW.external_no,
        NEW.finding, NEW.proposal, NEW.created_at)
       IS DISTINCT FROM (OLD.id, OLD.organisation, OLD.number, OLD.state, OLD.helpers, OLD.source, OLD.level, OLD.title, OLD.vehicle,
        OLD.external_no, OLD.finding, OLD.proposal, OLD.created_at)
       AND current_user = 'gongche_app' AND OLD.organisation <> ALL (reach_units()) THEN
        RAISE EXCEPTION 'a unit that helps does not change the case %', OLD.id USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER cases_of_others_stay BEFORE UPDATE ON cases FOR EACH ROW WHEN (OLD.helpers <> '{}') EXECUTE FUNCTION keep_helped_cases();
-- What a case is about is changed by its office alone.
ALTER POLICY reach ON case_links USING (EXISTS (SELECT FROM cases c WHERE c.id = case_id AND c.organisation = ANY ((SELECT reach_units())::text[])))
    WITH CHECK (EXISTS (SELECT FROM cases c WHERE c.id = case_id AND c.organisation = ANY ((SELECT reach_units())::text[])));

-- 3. Dispositions: of two administrators the second one is told what the first one wrote.
ALTER TABLE disposition_codes ADD COLUMN revision integer NOT NULL DEFAULT 1;
