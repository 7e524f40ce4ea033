"""The tables that a run prints."""

from collections.abc import Iterable
from statistics import median, quantiles

from lib.scenarios import SCENARIOS

COLUMNS = ("server", "CPU, µs", "quartiles", "÷ {reference}", "requests/s", "p50, µs", "p99, µs", "p99.9, µs", "lost, %",
           "server busy", "load busy", "MiB")  # fmt: skip
HEAD = f"| {' | '.join(COLUMNS)} |\n| --- |{' ---: |' * 11}"


def tables(rows: list[dict]) -> Iterable[str]:
    """A table for each scenario, in the order in which they were measured."""
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        yield "\n".join(table(scenario, [row for row in rows if row["scenario"] == scenario]))


def table(scenario: str, rows: list[dict]) -> Iterable[str]:
    names = list(dict.fromkeys(row["name"] for row in rows))
    measured = {name: [row for row in rows if row["name"] == name and "error" not in row] for name in names}
    reference = "ours" if "ours" in names else names[0]
    by_round = {row["round"]: row["cpu_us"] for row in measured[reference]}
    yield f"\n### {scenario}\n"
    yield f"`{SCENARIOS[scenario][1]}`. Other programs took {others(rows, 'core_other')} of the server's core,"
    yield f"{others(rows, 'gen_core_other')} of the load generator's.\n"
    yield HEAD.format(reference=reference)
    for name, found in sorted(measured.items(), key=lambda item: middle(item[1], "cpu_us")):
        if not found:
            yield f"| {name} |" + " - |" * 11
            continue
        ratios = [row["cpu_us"] / by_round[row["round"]] for row in found if row["round"] in by_round]
        low, high = quartiles([row["cpu_us"] for row in found])
        cells = [
            name,
            f"{middle(found, 'cpu_us'):.2f}",
            f"{low:.2f}–{high:.2f}",
            f"{median(ratios):.2f}" if ratios else "-",
            *(f"{middle(found, member):,.0f}" for member in ("rps", "p50_us", "p99_us", "p999_us")),
            f"{100 * middle(found, 'loss'):.2f}",
            *(f"{middle(found, member):.0%}" for member in ("srv_util", "gen_busy")),
            f"{middle(found, 'rss_kb') / 1024:.0f}",
        ]
        yield f"| {' | '.join(cells)} |"


def middle(rows: list[dict], member: str) -> float:
    return median([row[member] for row in rows if member in row] or [float("inf")])


def others(rows: list[dict], member: str) -> str:
    shares = [row[member] for row in rows if member in row]
    return f"{median(shares):.0%}" if shares else "an unknown part"


def quartiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high
