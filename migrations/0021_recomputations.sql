-- Vehicles whose past has to be computed again, for late positions, changed facts or parameters. The worker that owns a
-- vehicle does it in slices beside live positions. SQL of this table lives in src/rules/live/store/recomputations.py.
CREATE TABLE recomputations (
    vehicle_no  integer PRIMARY KEY REFERENCES vehicles (no),
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    urgency     smallint NOT NULL,   -- 0: there is no usable state, 1: late positions or a changed fact, 2: a parameter
    from_time   timestamptz NOT NULL,-- results that rest on facts from here on
    anew        boolean NOT NULL,    -- the stored states of the vehicle cannot be used, it starts with an empty one
    noted_at    timestamptz NOT NULL DEFAULT now(),
    -- How far it is; null: not begun.
    begun       timestamptz,         -- the kernels started here; 1970: with the vehicle's first position
    reached     timestamptz,         -- all stored positions of before are in the state
    state       bytea,               -- one row of rules.tracks.state.STATE_DTYPE
    state_version smallint,
    found       jsonb                -- {"episodes": [...], "orders": {order: what rules.tracks.order_legs carries, hex}}
);
CREATE INDEX recomputations_order ON recomputations (urgency, seq);
