-- The fleet as the vehicle office knows it. SQL of these tables lives in src/rules/fleet.
-- Ids are the office's own. Compact numbers (no) are ours, for columns.

CREATE TABLE organisations (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    parent     text REFERENCES organisations (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE vehicles (
    no           integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    id           text PRIMARY KEY,
    plate        text NOT NULL,
    organisation text NOT NULL REFERENCES organisations (id),
    category     text NOT NULL DEFAULT '',
    energy       text NOT NULL DEFAULT 'petrol' CHECK (energy IN ('petrol', 'diesel', 'electric', 'hybrid', 'gas')),
    registered_on date,
    disposed_on  date,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX vehicles_plate ON vehicles (plate) WHERE disposed_on IS NULL;

-- Which terminal sat in which vehicle when. Ranges of one terminal, and of one vehicle, do not overlap
-- (checked under a lock on both parents in rules.fleet.repository).
CREATE TABLE terminal_bindings (
    terminal_no integer NOT NULL REFERENCES terminals (no),
    vehicle_no  integer NOT NULL REFERENCES vehicles (no),
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz,
    PRIMARY KEY (terminal_no, valid_from),
    CHECK (valid_to IS NULL OR valid_to > valid_from)
);
CREATE INDEX terminal_bindings_vehicle ON terminal_bindings (vehicle_no, valid_from);

CREATE TABLE drivers (
    id           text PRIMARY KEY,
    name         text NOT NULL,
    organisation text NOT NULL REFERENCES organisations (id),
    phone        text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);

-- A fence (electronic fence, 定点停放) in versions; a version is never changed. It holds for the listed vehicles, or,
-- where vehicles is empty, for every vehicle of the organisation that has no fence of its own at that time.
CREATE TABLE fences (
    id           text NOT NULL,
    version      integer NOT NULL,
    name         text NOT NULL,
    organisation text NOT NULL REFERENCES organisations (id),
    vehicles     text[] NOT NULL DEFAULT '{}',
    original     jsonb NOT NULL,      -- GeoJSON geometry as it was given
    datum        text NOT NULL CHECK (datum IN ('wgs84', 'gcj02', 'bd09')),
    geometry     bytea NOT NULL,      -- WKB, WGS-84 degrees (longitude, latitude)
    valid_from   timestamptz NOT NULL,
    valid_to     timestamptz,         -- end of the version: the next one, or the fence was withdrawn
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, version),
    CHECK (valid_to IS NULL OR valid_to >= valid_from)
);

-- Dispatch orders (派车单) in versions; the highest version is the order as it stands.
CREATE TABLE dispatch_orders (
    no                integer GENERATED ALWAYS AS IDENTITY,
    id                text NOT NULL,
    version           integer NOT NULL,
    organisation      text NOT NULL REFERENCES organisations (id),
    vehicle           text NOT NULL REFERENCES vehicles (id),
    driver            text REFERENCES drivers (id),
    task_type         text NOT NULL CHECK (task_type IN ('official', 'repair', 'inspection', 'car_wash', 'emergency')),
    purpose           text NOT NULL DEFAULT '',
    status            text NOT NULL CHECK (status IN ('approved', 'departed', 'returned', 'cancelled')),
    origin            jsonb,          -- Place: {name, lat, lon, datum, wgs84: {lat_e6, lon_e6} | null}
    destinations      jsonb NOT NULL, -- list of Place, in order
    return_point      jsonb,
    planned_departure timestamptz NOT NULL,
    planned_return    timestamptz NOT NULL,
    extended_return   timestamptz,    -- 延长用车
    actual_departure  timestamptz,
    actual_return     timestamptz,
    entered_at        timestamptz NOT NULL DEFAULT now(),  -- when this version came to us (补单 = after the fact)
    PRIMARY KEY (id, version),
    CHECK (planned_return > planned_departure),
    CHECK (actual_return IS NULL OR actual_return > COALESCE(actual_departure, '-infinity'::timestamptz))
);
CREATE INDEX dispatch_orders_vehicle ON dispatch_orders (vehicle, planned_departure);
CREATE VIEW current_dispatch_orders AS
    SELECT DISTINCT ON (id) * FROM dispatch_orders ORDER BY id, version DESC;

-- Facts that changed and that a result may rest on: written by the registry in the same transaction as the change,
-- taken by the worker that owns the vehicle.
CREATE TABLE fact_changes (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL,         -- 'order' | 'fence' | 'binding' | 'vehicle' | 'parameter'
    subject    text NOT NULL,         -- id of the order, fence, terminal, vehicle
    vehicle_no integer NOT NULL,      -- whose results may change
    from_time  timestamptz NOT NULL,  -- results that rest on facts from here on
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX fact_changes_vehicle ON fact_changes (vehicle_no, seq);

-- Rule parameters (rules.md: "Parameters, not constants"). organisation null = everyone.
CREATE TABLE rule_parameters (
    rule           text NOT NULL,
    name           text NOT NULL,
    organisation   text REFERENCES organisations (id),
    value          numeric NOT NULL,
    source         text NOT NULL DEFAULT '',
    effective_from timestamptz NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX rule_parameters_key
    ON rule_parameters (rule, name, COALESCE(organisation, ''), effective_from);
