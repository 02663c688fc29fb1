-- Terminals and the history of their positions. SQL of these tables lives in src/telemetry.

CREATE TABLE terminals (
    no            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    phone         text NOT NULL UNIQUE CHECK (phone ~ '^[0-9]{1,20}$'),  -- without leading zeros
    manufacturer  text NOT NULL DEFAULT '',
    model         text NOT NULL DEFAULT '',
    device_id     text NOT NULL DEFAULT '',
    plate         text NOT NULL DEFAULT '',       -- as the terminal said at registration
    code_sha256   bytea CHECK (octet_length(code_sha256) = 32),  -- authentication code; null = not registered yet
    previous_sha256 bytea CHECK (octet_length(previous_sha256) = 32),  -- valid until code_sha256 is first used
    registered_at timestamptz,
    source        text NOT NULL DEFAULT 'registry' CHECK (source IN ('registry', 'auto')),
    enabled       boolean NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX terminals_updated ON terminals (updated_at);  -- the gateway follows changes
COMMENT ON TABLE terminals IS 'BeiDou terminals. no is the compact key that the log and positions carry.';

-- Everything a terminal ever said about where it was. Identity: (terminal, device time, fingerprint of the payload).
CREATE TABLE positions (
    terminal_no    integer NOT NULL,
    device_time    timestamptz NOT NULL,   -- 1970-01-01 = the terminal sent no readable time
    fingerprint    bigint NOT NULL,
    received_at    timestamptz NOT NULL,
    lat_e6         integer NOT NULL,
    lon_e6         integer NOT NULL,
    altitude_m     smallint NOT NULL,
    speed_dkmh     integer NOT NULL,
    direction_deg  integer NOT NULL,
    alarm          integer NOT NULL,       -- 32 bits, as a signed number
    status         integer NOT NULL,       -- 32 bits, as a signed number
    quality        smallint NOT NULL,      -- telemetry.quality.Quality
    source         smallint NOT NULL,      -- telemetry.positions.Source
    odometer_dkm   bigint,
    fuel_dl        integer,
    recorder_speed_dkmh integer,
    radio          smallint,
    satellites     smallint,
    items          bytea,
    PRIMARY KEY (terminal_no, device_time, fingerprint)
) PARTITION BY RANGE (device_time);
CREATE TABLE positions_default PARTITION OF positions DEFAULT;
COMMENT ON TABLE positions IS 'One partition a UTC day, made by the worker; days far from today fall into positions_default.';

-- How far each log partition has been processed; written in the transaction that wrote the results.
CREATE TABLE log_offsets (
    topic       text NOT NULL,           -- topic@identity of the log: another log starts from its beginning
    partition   integer NOT NULL,
    next_offset bigint NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
);
