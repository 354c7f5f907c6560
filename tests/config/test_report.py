from __future__ import annotations

from ccproxy_tray.config.report import Place, Report, suggestion


def test_notes_come_in_the_order_of_the_file_and_once_each() -> None:
    report = Report("c.yaml")
    report.problem(report.file(12, "b"), "late")
    report.problem(report.file(3, "a"), "early")
    report.problem(report.file(3, "a"), "early")
    report.problem(Place(0, "PORT"), "outside")
    report.warning(report.file(3, column=7), "odd")

    assert report.problems == ("PORT: outside", "c.yaml:3: a: early", "c.yaml:12: b: late")
    assert report.warnings == ("c.yaml:3:7: odd",)


def test_notes_are_one_line_and_show_no_secret() -> None:
    report = Report("c.yaml")
    report.problem(report.file(1, "a\nb"), "got sk-ant-0123456789 \x1b[31m")

    assert report.problems == (r"c.yaml:1: a\nb: got sk-ant-*** \x1b[31m",)


def test_a_near_miss_is_recognised_and_a_far_one_is_not() -> None:
    assert suggestion("Prot", ("port", "host")) == '; did you mean "port"?'
    assert suggestion("zzz", ("port", "host")) == ""
