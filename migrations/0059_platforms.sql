-- Links to other platforms by JT/T 809: src/office/platforms (the records), src/gongche/exchange809 (the links), docs/exchange809.md.

-- The platforms: a list that the operator makes on the machine (gongche exchange809 link).
--   above: we log in to it, push positions, and take its orders to deal with an alarm (督办).
--   below: it logs in to us; its positions go into our log, as those of the terminals of its vehicles here.
CREATE TABLE platform_links (
    name         text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9-]{0,31}$'),
    direction    text NOT NULL CHECK (direction IN ('above', 'below')),
    edition      smallint NOT NULL CHECK (edition IN (2011, 2019)),
    access_code  bigint NOT NULL CHECK (access_code BETWEEN 0 AND 4294967295),   -- of the lower platform: above ours, below its own
    user_id      bigint NOT NULL CHECK (user_id BETWEEN 0 AND 4294967295),
    platform_id  text NOT NULL DEFAULT '' CHECK (length(platform_id) <= 11),     -- 平台唯一编码, in registrations and positions
    host         text,                       -- above: where it listens
    port         integer CHECK (port BETWEEN 1 AND 65535),
    down_host    text NOT NULL DEFAULT '' CHECK (length(down_host) <= 32),       -- above: where it reaches us for the subordinate link
    down_port    integer NOT NULL DEFAULT 0 CHECK (down_port BETWEEN 0 AND 65535),
    networks     cidr[] NOT NULL DEFAULT '{}',   -- below: it logs in from these, and listens in them; above: it connects to us from these
    organisation text NOT NULL,              -- who answers for it: the first of units
    units        text[] NOT NULL CHECK (units <> '{}'),   -- these units and those below them: whose vehicles are pushed, or taken
    encrypts     boolean NOT NULL DEFAULT false, -- what we send is scrambled with the keys
    enabled      boolean NOT NULL DEFAULT true,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CHECK (direction = 'below' OR (host IS NOT NULL AND port IS NOT NULL)),
    CHECK (direction = 'above' OR networks <> '{}')
);
COMMENT ON TABLE platform_links IS 'Other platforms, by JT/T 809.';
CREATE UNIQUE INDEX platform_links_code ON platform_links (access_code) WHERE direction = 'below';

-- Password and keys (M1, IA1, IC1) of a link, sealed with the identity key. No request reads it.
CREATE TABLE platform_secrets (
    link   text PRIMARY KEY REFERENCES platform_links (name) ON DELETE CASCADE,
    sealed bytea NOT NULL
);

-- How it goes with a link, and up to where of the log a platform above has confirmed: it answered a link test that was sent behind it.
CREATE TABLE platform_states (
    link             text PRIMARY KEY REFERENCES platform_links (name) ON DELETE CASCADE,
    main_since       timestamptz,             -- since when the main link is logged in; null = it is not
    main_ended_at    timestamptz,
    down_since       timestamptz,             -- the same of the subordinate link
    login_result     smallint,                -- the last answer to a login: 0 = taken
    login_at         timestamptz,
    last_error       text,
    last_error_at    timestamptz,
    log_identity     text NOT NULL DEFAULT '',
    places           jsonb NOT NULL DEFAULT '{}',    -- partition -> first offset that is not confirmed
    confirmed_at     timestamptz,             -- when it was confirmed last
    received_until   timestamptz,             -- positions received by us before this are confirmed
    sent             bigint NOT NULL DEFAULT 0,      -- positions as they came (0x1202)
    resent           bigint NOT NULL DEFAULT 0,      -- positions of before (0x1203)
    withheld         bigint NOT NULL DEFAULT 0,      -- of secret vehicles, or without a time: never sent
    lost             bigint NOT NULL DEFAULT 0,      -- records that neither the log nor the archive had any more
    said_taken       bigint NOT NULL DEFAULT 0,      -- what the platform says that it took (0x9101)
    taken            bigint NOT NULL DEFAULT 0,      -- below: positions that went into the log
    refused          jsonb NOT NULL DEFAULT '{}',    -- reason -> how many
    last_refusal     text
);
COMMENT ON TABLE platform_states IS 'How it goes with each link, and its place in the log.';

-- Vehicles that a platform below has registered, or has sent positions of; bounded for each link.
CREATE TABLE platform_vehicles (
    link        text NOT NULL REFERENCES platform_links (name) ON DELETE CASCADE,
    plate       text NOT NULL CHECK (length(plate) <= 21),
    colour      smallint NOT NULL,
    device      jsonb,                        -- what its registration says of the terminal; null = none came
    refused     text,                         -- why its positions are not taken; null = they are
    first_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (link, plate, colour)
);
COMMENT ON TABLE platform_vehicles IS 'Vehicles that platforms below have named.';

-- Colours of plates, where they are not what the plate itself says (docs/exchange809.md).
CREATE TABLE platform_colours (
    vehicle text PRIMARY KEY,
    colour  smallint NOT NULL CHECK (colour BETWEEN 1 AND 99)
);
COMMENT ON TABLE platform_colours IS 'Colours of plates, for JT/T 809.';

-- Orders to deal with an alarm (报警督办, 0x9401) and their answers (0x1401).
--   received: of a platform above; case_id is the draft that was made of it here.
--   asked: ours, of a platform below, for our case.
CREATE TABLE platform_supervisions (
    no             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    link           text NOT NULL REFERENCES platform_links (name),
    direction      text NOT NULL CHECK (direction IN ('received', 'asked')),
    supervision_id bigint NOT NULL CHECK (supervision_id BETWEEN 0 AND 4294967295),
    plate          text NOT NULL CHECK (length(plate) <= 21),
    colour         smallint NOT NULL,
    vehicle        text,                      -- ours; null = we have none of that plate
    case_id        text REFERENCES cases (id),
    warn_source    smallint NOT NULL,
    warn_type      integer NOT NULL,
    warn_at        timestamptz NOT NULL,
    due_at         timestamptz NOT NULL,
    level          smallint NOT NULL,
    supervisor     text NOT NULL DEFAULT '',
    phone          text NOT NULL DEFAULT '',
    email          text NOT NULL DEFAULT '',
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),   -- when it came, or was asked for
    told           smallint,                  -- received: the last result that was told, and confirmed. asked: 0 = it is sent
    told_at        timestamptz,
    result         smallint,                  -- asked: what was answered
    result_at      timestamptz,
    CHECK (direction = 'received' OR case_id IS NOT NULL),
    UNIQUE (link, direction, supervision_id)
);
COMMENT ON TABLE platform_supervisions IS 'Orders to deal with an alarm, from above and to below.';
CREATE INDEX platform_supervisions_open ON platform_supervisions (link, no) WHERE told IS NULL OR told IN (0, 3);
CREATE INDEX platform_supervisions_cases ON platform_supervisions (case_id) WHERE case_id IS NOT NULL;

SELECT audit_table('platform_links', 'platform-links', 'name', 'r ->> ''name''');
SELECT audit_table('platform_colours', 'platform-colours', 'vehicle', 'r ->> ''vehicle''', 'NULL::text', 'r ->> ''vehicle''');
SELECT audit_table('platform_supervisions', 'platform-supervisions', 'no', 'r ->> ''no''', 'NULL::text', 'r ->> ''vehicle''');
