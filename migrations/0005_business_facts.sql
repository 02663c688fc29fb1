-- Fuel, violations and the calendar: what the rules beside the track are judged on. SQL of these tables lives in
-- src/rules/fleet. Quantities and money are whole numbers (millilitres or watt-hours, fen): never binary floats.

CREATE TABLE fuel_stations (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    aliases    text[] NOT NULL DEFAULT '{}',   -- as statements write it (网点)
    datum      text CHECK (datum IN ('wgs84', 'gcj02', 'bd09')),
    original   jsonb,                          -- GeoJSON Point, Polygon or MultiPolygon as given; null = no coordinates
    geometry   bytea,                          -- WKB, WGS-84 degrees (longitude, latitude)
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((original IS NULL) = (geometry IS NULL) AND (original IS NULL) = (datum IS NULL))
);

CREATE TABLE fuel_cards (
    id           text PRIMARY KEY,             -- 卡号
    organisation text NOT NULL REFERENCES organisations (id),
    issuer       text NOT NULL DEFAULT '',
    status       text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'lost', 'closed')),
    opened_on    date,
    closed_on    date,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);

-- Which plate a card was bound to when. A plate and not a vehicle: whether it is an official vehicle is the question.
-- Ranges of one card do not overlap (checked under the registry lock).
CREATE TABLE card_bindings (
    card       text NOT NULL REFERENCES fuel_cards (id),
    plate      text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to   timestamptz,
    PRIMARY KEY (card, valid_from),
    CHECK (valid_to IS NULL OR valid_to > valid_from)
);
CREATE INDEX card_bindings_plate ON card_bindings (plate, valid_from);

CREATE TABLE fuel_transactions (
    id           text PRIMARY KEY,             -- the statement's own number, or one made of the row
    card         text NOT NULL REFERENCES fuel_cards (id),
    at           timestamptz NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('fill', 'top_up', 'reversal', 'fee', 'other')),
    product      text NOT NULL DEFAULT '',     -- 油品 as written
    energy       text NOT NULL DEFAULT 'fuel' CHECK (energy IN ('fuel', 'electric')),
    quantity     bigint CHECK (quantity >= 0), -- ml of fuel, Wh of electricity
    unit_price   numeric(12, 4),               -- yuan per litre or kWh
    amount_fen   bigint,
    balance_fen  bigint,
    station      text REFERENCES fuel_stations (id),
    station_name text NOT NULL DEFAULT '',     -- 网点 as written
    reverses     text,                         -- id of the transaction that a reversal takes back
    source       text NOT NULL DEFAULT '',     -- file or system it came from
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX fuel_transactions_card ON fuel_transactions (card, at);
CREATE INDEX fuel_transactions_at ON fuel_transactions (at);
CREATE INDEX fuel_transactions_station ON fuel_transactions (station);
CREATE INDEX fuel_transactions_reverses ON fuel_transactions (reverses) WHERE reverses IS NOT NULL;

CREATE TABLE violations (
    id         text PRIMARY KEY,               -- number of the violation, or one made of the row
    plate      text NOT NULL,
    at         timestamptz NOT NULL,
    place      text NOT NULL DEFAULT '',
    act        text NOT NULL DEFAULT '',       -- 违法行为
    fine_fen   bigint CHECK (fine_fen >= 0),
    points     integer CHECK (points >= 0),
    status     text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'handled', 'revoked', 'appealed')), -- appealed: with success
    driver     text REFERENCES drivers (id),
    source     text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX violations_plate ON violations (plate, at);
CREATE INDEX violations_at ON violations (at);

-- The office's own word on single days, over the published calendar.
CREATE TABLE calendar_days (
    day        date PRIMARY KEY,
    workday    boolean NOT NULL,
    name       text NOT NULL DEFAULT '',
    source     text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX vehicles_any_plate ON vehicles (plate);
CREATE INDEX dispatch_orders_driver ON dispatch_orders (driver, planned_departure) WHERE is_current;
