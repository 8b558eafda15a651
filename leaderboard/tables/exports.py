"""The leaderboard as CSV and JSON, unrounded: for spreadsheets, scripts, and `vnnbench.rank`.

csv    one row per setting and group, every exported column of `ranking.columns`; empty field = none, flags 0|1
json   {"settings": [..], "virtual_best": [..], "ranks": [..], "pairs": [..], "surrogates": [..],
       "surrogate_values": [..], "approaches": [..], "faults": [..], "common": [..], "sensitivity": [..],
       "conditions": {..}, "planted": [..], "proven": [..], "reference": [..]}; null = none
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vnnbench.leaderboard.ranking.approaches import ApproachRow
from vnnbench.leaderboard.ranking.column_form import Rows
from vnnbench.leaderboard.ranking.columns import keys_of, record_of
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard, SettingRow
from vnnbench.leaderboard.ranking.surrogate_pairs import KIND_COLUMNS
from vnnbench.leaderboard.ranking.surrogate_times import SurrogateRow
from vnnbench.leaderboard.ranking.surrogate_values import SurrogateValueRow
from vnnbench.leaderboard.records.answer_outcomes import KnownAnswers
from vnnbench.leaderboard.records.schema import INSTANCE_NAMES
from vnnbench.leaderboard.records.settings import SETTING_COLUMNS, options_of
from vnnbench.leaderboard.serialization import csv_text, json_text


def csv_table(leaderboard: Leaderboard) -> str:
    """Return one line per setting in each group, below a line of names."""
    names = dict.fromkeys(("setting", *SETTING_COLUMNS, *_group_names(leaderboard.by), *keys_of(Rows.SETTINGS)))
    return csv_text(list(names), ([*record.values()] for record in setting_records(leaderboard)))


def setting_records(leaderboard: Leaderboard) -> list[dict[str, object]]:
    """Return the rows of the CSV by column: one for each setting in each group."""
    return [_setting_record(leaderboard.by, row) for row in leaderboard.settings]


def json_document(leaderboard: Leaderboard) -> str:
    """Return everything that the tables show, unrounded."""
    by, problems_by, conditions = leaderboard.by, leaderboard.problems_by, leaderboard.conditions
    document = {
        "settings": [_setting_record(by, row) | {"settings": options_of(row.setting)} for row in leaderboard.settings],
        "virtual_best": [_group(by, row) | _fields(row, "group") for row in leaderboard.virtual_best],
        "ranks": [
            _labelled(by, row) | _fields(row, "group", "setting") | {"flips": list(row.flips)}
            for row in leaderboard.ranks
        ],
        "pairs": [
            _group(by, row)
            | {"faster": row.faster.label, "slower": row.slower.label}
            | _fields(row, "group", "faster", "slower")
            for row in leaderboard.pairs
        ],
        "surrogates": [_kind_record(problems_by, row, Rows.SURROGATES) for row in leaderboard.surrogates],
        "surrogate_values": [
            _kind_record(problems_by, row, Rows.SURROGATE_VALUES) for row in leaderboard.surrogate_values
        ],
        "approaches": [_kind_record(leaderboard.approaches_by, row, Rows.APPROACHES) for row in leaderboard.approaches],
        "faults": [asdict(row) for row in leaderboard.faults],
        "common": [_group(by, row) | _fields(row, "group") for row in leaderboard.common],
        "sensitivity": [
            _labelled(problems_by, row) | _fields(row, "group", "setting") for row in leaderboard.sensitivity
        ],
        "conditions": asdict(conditions)
        | {name: dict(getattr(conditions, name)) for name in ("enforcement", "counted", "lacking")},
        "planted": _answer_records(leaderboard.planted),
        "proven": _answer_records(leaderboard.proven),
        "reference": [_labelled(problems_by, row) | record_of(Rows.REFERENCE, row) for row in leaderboard.reference],
    }
    return json_text(document)


def _setting_record(by: tuple[str, ...], row: SettingRow) -> dict[str, object]:
    """Return the record of a setting in a group, for CSV and JSON: the setting, the group, the columns."""
    setting = {name: getattr(row.setting, name) for name in SETTING_COLUMNS}
    return {"setting": row.setting.label} | setting | _group(by, row) | record_of(Rows.SETTINGS, row)


def _answer_records(known: KnownAnswers) -> list[dict[str, object]]:
    return [{"setting": row.setting.label} | _fields(row, "setting") for row in known.rows]


def _kind_record(
    by: tuple[str, ...], row: SurrogateRow | SurrogateValueRow | ApproachRow, rows: Rows
) -> dict[str, object]:
    """Return the record of a setting on a kind of surrogate, for JSON."""
    return _labelled(by, row) | {name: getattr(row, name) for name in KIND_COLUMNS} | record_of(rows, row)


def _labelled(by: tuple[str, ...], row: Any) -> dict[str, object]:
    return {"setting": row.setting.label} | _group(by, row)


def _group(by: tuple[str, ...], row: Any) -> dict[str, object]:
    return dict(zip(_group_names(by), row.group, strict=True))


def _group_names(by: tuple[str, ...]) -> list[str]:
    """Return the columns to group by, under another name where a setting has a column of that name."""
    return [INSTANCE_NAMES.get(name, name) if name in SETTING_COLUMNS else name for name in by]


def _fields(row: Any, *without: str) -> dict[str, object]:
    return {name: value for name, value in asdict(row).items() if name not in without}
