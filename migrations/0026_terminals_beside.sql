-- Several terminals may sit in one vehicle at a time, where the office says so (`beside`); each is judged for itself. Without
-- that a terminal takes the place of the other one, as before: registry/terminals.py sees to it.
ALTER TABLE terminal_bindings DROP CONSTRAINT one_terminal_in_vehicle;
