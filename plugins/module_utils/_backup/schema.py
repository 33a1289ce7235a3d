# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database's definitions as fingerprints: one query per kind of object, read from the catalogs.

Each row is one object. Text that PostgreSQL prints from a parse tree is normalised: a dump and restore may add or
move a cast (``status IN ('a', 'b')`` on a varchar column does), which means nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import SchemaPart

USER_SCHEMA = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"


def _own(catalog: str, oid: str) -> str:
    """Not a member of an extension: those come with CREATE EXTENSION."""
    return f"NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.classid = '{catalog}'::regclass AND x.objid = {oid} AND x.deptype = 'e')"


OWN_RELATION = f"{USER_SCHEMA} AND {_own('pg_class', 'c.oid')}"

QUERIES = {
    "schemas": f"SELECT n.nspname FROM pg_namespace n WHERE {USER_SCHEMA} AND {_own('pg_namespace', 'n.oid')}",
    "relations": f"""
        SELECT n.nspname, c.relname, c.relkind::text, c.relpersistence::text, c.relrowsecurity, c.relforcerowsecurity, c.relispopulated,
               pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid),
               ARRAY(SELECT unnest(c.reloptions) ORDER BY 1),
               ARRAY(SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = c.oid ORDER BY inhseqno)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND {OWN_RELATION}""",
    "columns": f"""
        SELECT n.nspname, c.relname, a.attname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
               a.attnotnull, a.attidentity::text, a.attgenerated::text, a.attstorage::text, pg_get_expr(d.adbin, d.adrelid),
               CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND {OWN_RELATION}""",
    "constraints": f"""
        SELECT n.nspname, coalesce(nullif(o.conrelid, 0)::regclass::text, o.contypid::regtype::text), o.conname, pg_get_constraintdef(o.oid), o.convalidated
        FROM pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace
        WHERE o.contype <> 'n' AND {USER_SCHEMA} AND {_own("pg_constraint", "o.oid")} AND {_own("pg_class", "o.conrelid")}""",
    "indexes": f"""
        SELECT n.nspname, c.relname, pg_get_indexdef(c.oid), i.indisvalid, i.indisclustered, i.indisreplident
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {OWN_RELATION}""",
    "views": f"""
        SELECT n.nspname, c.relname, pg_get_viewdef(c.oid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND {OWN_RELATION}""",
    "rules": f"""
        SELECT n.nspname, c.relname, r.rulename, pg_get_ruledef(r.oid), r.ev_enabled::text
        FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE r.rulename <> '_RETURN' AND {OWN_RELATION}""",
    "triggers": f"""
        SELECT n.nspname, c.relname, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled::text
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT t.tgisinternal AND {OWN_RELATION}""",
    "functions": f"""
        SELECT n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), p.prokind::text,
               CASE WHEN p.prokind <> 'a' THEN md5(pg_get_functiondef(p.oid)) END
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {USER_SCHEMA} AND {_own("pg_proc", "p.oid")}""",
    "types": f"""
        SELECT n.nspname, t.typname, t.typtype::text, t.typnotnull, t.typdefault, format_type(nullif(t.typbasetype, 0), t.typtypmod),
               ARRAY(SELECT enumlabel FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder),
               (SELECT rngsubtype::regtype::text FROM pg_range WHERE rngtypid = t.oid)
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typtype IN ('b', 'd', 'e', 'r') AND t.typelem = 0 AND {USER_SCHEMA} AND {_own("pg_type", "t.oid")}""",
    "policies": "SELECT schemaname, tablename, policyname, permissive, roles::text, cmd, qual, with_check FROM pg_policies",
    "sequences": f"""
        SELECT n.nspname, c.relname, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle, s.seqtypid::regtype::text,
               (SELECT d.refobjid::regclass::text || '.' || d.refobjsubid FROM pg_depend d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0)
        FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OWN_RELATION}""",
    "event triggers": f"SELECT evtname, evtevent, evtenabled::text, evttags FROM pg_event_trigger e WHERE {_own('pg_event_trigger', 'e.oid')}",
    "comments": f"""
        SELECT n.nspname, c.relname, d.objsubid, d.description
        FROM pg_description d JOIN pg_class c ON d.classoid = 'pg_class'::regclass AND c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {OWN_RELATION}""",
}

CAST = re.compile(
    r"::(?:character varying|double precision|bit varying|(?:timestamp|time)(?:\(\d+\))? with(?:out)? time zone|[\w.]+|\"[^\"]+\")"
    r"(?:\(\d+(?:,\d+)?\))?(?:\[\])*"
)


def normalise(value: Any) -> Any:
    """Definitions without casts, parentheses and white space; everything else as it is."""
    return re.sub(r"[\s()]+", "", CAST.sub("", value)) if isinstance(value, str) else value


def fingerprint(kind: str, rows: Iterable[Iterable[Any]]) -> SchemaPart:
    """The hash of all objects of a kind, in whatever order they came."""
    lines = sorted(json.dumps([normalise(value) for value in row], default=str) for row in rows)
    return SchemaPart(kind, len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest())
