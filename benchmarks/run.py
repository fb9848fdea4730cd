"""Run every benchmark in a process of its own, print one table, write build/bench.json.

Where only some are asked for, build/bench-part.json is written: the whole table stays that of one run.

Each module beside this file has `rows()`: a list of {name, value, unit, bar, holds}. `bar` is the
bound as text, or null where a figure only stands beside another for comparison.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OUT = HERE.parent / "build"
LONGEST_SECONDS = 900
Row = dict[str, Any]


def machine() -> Row:
    """Describe the machine, as the first row."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    text = f"{os.cpu_count()} cores {model}, {memory:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}, load {load:.1f}"
    return {"name": "machine", "value": text, "unit": "", "bar": None, "holds": True}


def speed() -> Row:
    """Time a fixed loop: figures of two days are comparable only where this one agrees."""
    times = []
    for _ in range(7):
        began, total = time.perf_counter(), 0
        for number in range(1_000_000):
            total += number
        times.append(time.perf_counter() - began)
    text = f"{min(times) * 1e3:.0f} to {max(times) * 1e3:.0f}"
    return {"name": "machine: a loop of 1,000,000 additions", "value": text, "unit": "ms", "bar": None, "holds": True}


def measure(path: Path) -> list[Row]:
    """Run one module's rows() in a fresh interpreter."""
    code = (
        "import importlib.util, json, sys\n"
        "spec = importlib.util.spec_from_file_location('bench', sys.argv[1])\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "print('\\n' + json.dumps(module.rows()))\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        return [failed(path, f"not done after {LONGEST_SECONDS} s")]
    if done.returncode:
        return [failed(path, (done.stderr.strip().splitlines() or ["no message"])[-1])]
    rows: list[Row] = json.loads(done.stdout.strip().splitlines()[-1])
    return rows


def failed(path: Path, why: str) -> Row:
    """Return the row of a module that gave none."""
    return {"name": path.stem, "value": f"failed: {why}", "unit": "", "bar": "runs", "holds": False}


def show(row: Row) -> None:
    """Print one line of the table."""
    value = row["value"]
    text = (
        f"{value:,.3g}"
        if isinstance(value, float) and abs(value) < 1000
        else f"{value:,.0f}"
        if isinstance(value, (int, float))
        else value
    )
    verdict = "" if row["bar"] is None else ("holds" if row["holds"] else "MISSED")
    print(f"{row['name']:<72} {text:>14} {row['unit']:<10} {row['bar'] or '':<14} {verdict}", flush=True)


def main() -> int:
    """Measure what was asked for; exit code 1 if a bar was missed."""
    modules = sorted(path for path in HERE.glob("*.py") if path.name != "run.py" and defines_rows(path))
    parser = argparse.ArgumentParser(description="Measure quantum-mlops and hold it against its bars.")
    parser.add_argument("only", nargs="*", help=f"of {', '.join(path.stem for path in modules)}")
    chosen = parser.parse_args().only
    rows = [machine(), speed()]
    for row in rows:
        show(row)
    for path in modules:
        if chosen and path.stem not in chosen:
            continue
        began = time.monotonic()
        print(f"… {path.stem}", end="\r", file=sys.stderr, flush=True)
        found = measure(path)
        for row in found:
            show(row)
        print(f"  ({path.stem}: {time.monotonic() - began:.0f} s)", file=sys.stderr)
        rows += found
    OUT.mkdir(exist_ok=True)
    out = OUT / ("bench-part.json" if chosen else "bench.json")
    out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    missed = [row["name"] for row in rows if not row["holds"]]
    print(f"{len(rows) - 2} figures, {len(missed)} missed; written to {out.relative_to(HERE.parent)}")
    return 1 if missed else 0


def defines_rows(path: Path) -> bool:
    """Tell whether a module defines rows(), without running it."""
    return "\ndef rows(" in path.read_text()


if __name__ == "__main__":
    sys.exit(main())
