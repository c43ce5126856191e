"""What a run found, as figures, tables, charts and a list of functions."""

import argparse
from xml.etree import ElementTree

import pytest

from bench import charts, profile_cpu, svg
from bench.figures import percentile, ratio, spread
from bench.report import BUSY, table
from bench.run import chosen
from bench.setup import Row

_SVG = "{http://www.w3.org/2000/svg}"


def test_percentiles_are_values_that_were_measured() -> None:
    ordered = [float(number) for number in range(1, 1_001)]
    assert [percentile(ordered, share) for share in (0.5, 0.99, 0.999, 1.0)] == [500.0, 990.0, 999.0, 1_000.0]
    assert percentile([7.0], 0.5) == percentile([7.0], 0.999) == 7.0


def test_a_ratio_is_that_of_each_turn() -> None:
    """The second turn was slow for both."""
    assert ratio("bare", [100.0, 10.0, 110.0], [1_000.0, 100.0, 1_000.0]) == {"of bare": 0.1}
    assert spread("req/s", [3.0, 1.0, 2.0]) == {"req/s": 2.0, "req/s min": 1.0, "req/s max": 3.0}


def test_a_table_shows_spread_ratios_and_who_was_the_bottleneck() -> None:
    rows: list[Row] = [
        {
            "server": "kms-server", "req/s": 27_800.0, "req/s min": 26_900.0, "req/s max": 28_100.0,
            BUSY: 0.5, "of bare": 0.12, "of moto": 35.5,
        },
        {"server": "bare loop", "req/s": 220_000.0, BUSY: 0.96},
    ]  # fmt: skip
    assert table("Closed loop", rows).splitlines() == [
        "",
        "Closed loop",
        "server                       req/s  load busy  of bare  of moto",
        "kms-server  27,800 (26,900-28,100)        50%   1/8.33    35.5x",
        "bare loop                  220,000      96% *",
        "* the load generator was busy all the time: the server may do more",
    ]


def test_charts_are_well_formed_and_show_every_figure() -> None:
    closed: list[Row] = [
        {"conns": connections, "operation": operation, "server": server, "req/s": rate}
        for connections in (1, 64)
        for operation, server, rate in (
            ("Encrypt", "bare loop", 80_000.0), ("SET", "redis", 30_000.0), ("Encrypt", "kms-server", 9_500.0),
            ("Encrypt", "moto", 250.0), ("Decrypt", "moto", 250.0),
        )
    ]  # fmt: skip
    opened: list[Row] = [
        {"req/s": rate, "what": what, "p50 ms": 0.4, "p99 ms": 10.0, "p99.9 ms": 100.0}
        for rate in (2_500, 5_000, 7_500)
        for what in ("kms-server", "raw group commit")
    ]
    drawn = charts.drawn({"closed": closed, "open": opened, "single": []})
    assert drawn is not None
    picture = ElementTree.fromstring(drawn)
    bars = [float(one.attrib["height"]) for one in picture.findall(f".//{_SVG}g/{_SVG}rect[@x]")]
    assert len([height for height in bars if height != 12]) == 8
    assert len(picture.findall(f".//{_SVG}polyline")) == 6
    words = {one.text for one in picture.iter(f"{_SVG}text")}
    assert {"9.5k", "80.0k", "250", "2.5k req/s", "kms-server p99.9"} <= words
    heights = [float(one.attrib["cy"]) for one in picture.iter(f"{_SVG}circle")]
    assert all(svg.TOP <= y <= svg.HEIGHT - svg.BOTTOM for y in heights)
    assert charts.drawn({"single": []}) is None


def test_a_function_has_its_own_samples_and_those_of_what_it_calls() -> None:
    rows = profile_cpu.rows(["main;serve;encrypt 3", "main;serve 1", "main;serve;encrypt;serve 1"])
    assert rows[0] == {"self %": 60.0, "with callees %": 80.0, "samples": 3, "function": "encrypt"}
    assert rows[1] == {"self %": 40.0, "with callees %": 100.0, "samples": 2, "function": "serve"}


def test_sections_are_chosen_by_name() -> None:
    assert [section.name for section in chosen("open,closed")] == ["open", "closed"]
    with pytest.raises(argparse.ArgumentTypeError, match="no section opened"):
        chosen("opened")
