"""Rows for spreadsheets and programs, written line by line: nothing is held in memory."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.http import StreamingHttpResponse

# A spreadsheet takes a cell that begins so for a formula.
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n")


def guarded(cell: object) -> object:
    """Return a cell that no spreadsheet runs: text that looks like a formula gets a quote."""
    is_formula = isinstance(cell, str) and cell.startswith(FORMULA_BEGINNINGS)
    return f"'{cell}" if is_formula else cell


class Line:
    """What `csv` writes to: it hands each line back."""

    def write(self, line: str) -> str:
        return line


def csv_lines(header: list[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Yield a header and rows as lines of CSV, each cell guarded."""
    writer = csv.writer(Line())
    yield writer.writerow(header)
    for row in rows:
        yield writer.writerow([guarded(cell) for cell in row])


def json_lines(facts: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield one JSON object: the facts, and `rows` with one row in a line."""
    yield json.dumps(facts).removesuffix("}") + ', "rows": ['
    before = "\n"
    for row in rows:
        yield before + json.dumps(row)
        before = ",\n"
    yield "\n]}\n"


def download(lines: Iterable[str], filename: str) -> StreamingHttpResponse:
    """Return lines as a file that the browser saves; what belongs to one person is not kept."""
    kind = "application/json" if filename.endswith(".json") else "text/csv; charset=utf-8"
    response = StreamingHttpResponse(lines, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["Cache-Control"] = "private, no-store"
    return response
