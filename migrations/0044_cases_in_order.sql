-- The lists of cases of one state, and of those whose term nobody knows, in the order in which they are shown: a city has so many
-- units that the index by state and unit gave all cases of a state, to be sorted for one page.
CREATE INDEX cases_of_states ON cases (state, created_at DESC, id);
CREATE INDEX cases_undetermined ON cases (created_at DESC, id) WHERE undetermined;
