# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure tables and indexes: by the extension pgstattuple where the database has it and we may ask it, else by the server's statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.bloat import Index, Limits, Name, Table, needed, waste_after_vacuum
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.quiet import GaveWay, Quiet

# Since PostgreSQL 17 the privilege MAINTAIN is enough; before, one has to be the owner.
_OURS = "pg_has_role(t.relowner, 'USAGE')"
_OURS_17 = f"({_OURS} OR has_table_privilege(t.oid, 'MAINTAIN'))"

# Whoever has the database may vacuum everything in it.
_TABLES = """
SELECT n.nspname, t.relname, t.oid, pg_relation_size(t.oid), coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0), coalesce(s.n_mod_since_analyze, 0),
       coalesce(s.last_analyze, s.last_autoanalyze) IS NOT NULL,
       100 * greatest(
           greatest(age(t.relfrozenxid), coalesce(age(o.relfrozenxid), 0)) / current_setting('autovacuum_freeze_max_age')::float8,
           greatest(mxid_age(t.relminmxid), coalesce(mxid_age(o.relminmxid), 0)) / current_setting('autovacuum_multixact_freeze_max_age')::float8),
       {ours} OR NOT t.relisshared AND (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database())
FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace LEFT JOIN pg_class o ON o.oid = t.reltoastrelid LEFT JOIN pg_stat_all_tables s ON s.relid = t.oid
WHERE t.relkind IN ('r', 'm') AND t.relpersistence <> 't'
"""

# An index on a catalog, or for an exclusion constraint, cannot be made anew while it is used.
_INDEXES = """
SELECT n.nspname, i.relname, t.relname, i.oid, t.oid, pg_relation_size(i.oid), x.indisvalid, i.reltuples,
       coalesce((SELECT substr(o, 12)::int FROM unnest(i.reloptions) o WHERE o LIKE 'fillfactor=%'), 90), a.amname = 'btree', x.indpred IS NOT NULL,
       EXISTS (SELECT FROM pg_locks l WHERE l.relation = t.oid AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted AND l.pid <> pg_backend_pid()),
       {ours},
       (SELECT json_agg(json_build_array(st.avg_width, c.attalign, c.attlen < 0, st.null_frac) ORDER BY c.attnum)
        FROM pg_attribute c
        LEFT JOIN pg_attribute tc ON tc.attrelid = t.oid AND tc.attnum = x.indkey[c.attnum - 1]
        LEFT JOIN pg_stats st ON NOT st.inherited AND st.schemaname = n.nspname
             AND (st.tablename, st.attname) = (CASE WHEN tc.attnum IS NULL THEN i.relname ELSE t.relname END, coalesce(tc.attname, c.attname))
        WHERE c.attrelid = i.oid)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = i.relnamespace
     JOIN pg_am a ON a.oid = i.relam
WHERE i.relkind = 'i' AND i.relpersistence <> 't' AND NOT x.indisexclusion AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""

_EXACT = """
SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = 'pgstattuple_approx'
WHERE e.extname = 'pgstattuple' AND has_function_privilege(p.oid, 'EXECUTE')
"""

# Whose snapshot keeps dead rows from being removed, and how many transactions ago it was taken.
_HOLDERS = """
SELECT format('the transaction of pid %s (%s)', pid, usename), age(backend_xmin) FROM pg_stat_activity
WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid()
UNION ALL SELECT format('the prepared transaction %s', gid), age(transaction) FROM pg_prepared_xacts
UNION ALL SELECT format('the replication slot %s', slot_name), greatest(age(xmin), age(catalog_xmin)) FROM pg_replication_slots
WHERE coalesce(xmin, catalog_xmin) IS NOT NULL
ORDER BY 2 DESC LIMIT 1
"""
_ALIGNMENTS = {"c": 1, "s": 2, "i": 4, "d": 8}


class Measure:
    """Looking is no reason either to let anybody wait: what cannot be read in peace is told by statistics, or not at all.

    What is so small that nothing could be gained is not read.
    """

    def __init__(self, quiet: Quiet, limits: Limits) -> None:
        self._ask = quiet.run
        self._small = limits.min_mib * 2**20
        self._ours = _OURS_17 if quiet.server_version >= 170000 else _OURS
        self._page = int(self._ask("SHOW block_size")[0][0])
        exact = self._ask(_EXACT)
        self._schema: str | None = exact[0][0] if exact else None

    @property
    def by(self) -> str:
        return "pgstattuple" if self._schema else "statistics"

    def all(self) -> tuple[list[Table], list[Index]]:
        rows = self._ask(_TABLES.format(ours=self._ours))
        tables = {row[2]: self._table(row) for row in rows}
        return list(tables.values()), [self._index(row, tables) for row in self._ask(_INDEXES.format(ours=self._ours))]

    def holder(self) -> str | None:
        """Who keeps the oldest rows from being removed."""
        found = self._ask(_HOLDERS)
        return f"{found[0][0]}, {found[0][1]} transactions old" if found and found[0][1] is not None else None

    def _table(self, row: Sequence[Any]) -> Table:
        schema, name, oid, size, live, dead, changed, analyzed, age, ours = row
        free = None
        if self._schema and size >= self._small:
            question = "SELECT approx_tuple_count, dead_tuple_count, approx_free_space FROM {}.pgstattuple_approx(%s::oid::regclass)"
            with suppress(GaveWay):
                [(live, dead, free)] = self._ask(question.format(_quoted(self._schema)), (oid,))
        return Table((schema, name), size, int(live), int(dead), changed, analyzed, float(age), free, ours)

    def _index(self, row: Sequence[Any], tables: Mapping[int, Table]) -> Index:
        schema, name, of, oid, table_oid, size, valid, rows, fillfactor, btree, partial, locked, ours, columns = row
        table = tables[table_oid]
        waste: int | None = None
        if not valid or not btree or size < self._small:
            pass
        elif self._schema:
            question = "SELECT leaf_pages, avg_leaf_density, empty_pages + deleted_pages FROM {}.pgstatindex(%s::oid::regclass)"
            with suppress(GaveWay):
                [(leaves, density, unused)] = self._ask(question.format(_quoted(self._schema)), (oid,))
                # An index without a row has a density that is no number.
                full = 0.0 if math.isnan(density) else min(density / fillfactor, 1.0)
                waste = waste_after_vacuum(size, int((leaves * (1 - full) + unused) * self._page), table.live, table.dead)
        elif all(width is not None for width, _alignment, _varies, _nulls in columns) and (rows >= 0 or not partial):
            # A whole index has the rows of its table, of which the server keeps count; that of a part is as old as the last VACUUM or ANALYZE.
            count = min(rows, table.live) if partial else table.live
            widths = [(width, _ALIGNMENTS[alignment], varies) for width, alignment, varies, _nulls in columns]
            waste = max(size - needed(count, widths, fillfactor, self._page, any(nulls for _w, _a, _v, nulls in columns)), 0)
        return Index(_name(schema, name), _name(schema, of), size, waste, valid, locked, ours)


def _name(schema: str, name: str) -> Name:
    return schema, name


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
