from __future__ import annotations

import hashlib
import hmac
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.gates import junit
from wavecrew.gates.junit import ReportRefused, parse, read_reports

KEY = "k"


def case(path, name, classes="", inner=""):
    classname = ".".join(filter(None, [path.removesuffix(".py").replace("/", "."), classes]))
    return f"<testcase file={quoteattr(path)} classname={quoteattr(classname)} name={quoteattr(name)}>{inner}</testcase>"


def suite(*cases):
    return f"<?xml version='1.0'?><testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>".encode()


def sealed(folder, stem, data, key=KEY, started=True):
    if started:
        (folder / f"junit-{stem}.started").touch()
    (folder / f"junit-{stem}.xml").write_bytes(data)
    seal = hmac.new(key.encode(), data, hashlib.sha256).hexdigest()
    (folder / f"junit-{stem}.seal").write_text(seal)


def test_outcomes_are_read_by_pytests_own_ids():
    report = parse(
        suite(
            case("t/test_a.py", "test_x[a/b::c]", "TestX.TestY"),
            case("t/test_a.py", "test_bad", inner="<failure message='m'>E   assert 0</failure>"),
            case("t/test_a.py", "test_error", inner="<error message='m'>boom</error>"),
            case("t/test_a.py", "test_skip", inner="<skipped message='no'/>"),
            '<testcase classname="" name="t.test_b" file="t/test_b.py"><error message="collection failure">SyntaxError</error></testcase>',
        )
    )
    assert report.passed == {"t/test_a.py::TestX::TestY::test_x[a/b::c]"}
    assert report.failed == {
        "t/test_a.py::test_bad": "m\nE   assert 0",
        "t/test_a.py::test_error": "m\nboom",
        "t/test_b.py": "collection failure\nSyntaxError",
    }
    assert report.skipped == {"t/test_a.py::test_skip"}


def test_a_test_that_passes_and_then_fails_in_teardown_failed():
    report = parse(suite(case("a.py", "t"), case("a.py", "t", inner="<error message='x'/>")))
    assert (set(report.failed), report.passed) == ({"a.py::t"}, set())


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE x><testsuites/>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><testsuites>&a;</testsuites>",
        b"<!DOCTYPE x SYSTEM 'file:///etc/passwd'><testsuites/>",
        b"<testsuites>",
        b"",
        b"\0\xff",
        b"<testsuites>&undeclared;</testsuites>",
    ],
)
def test_anything_pytest_would_not_write_is_refused(data):
    with pytest.raises(ReportRefused):
        parse(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_report_or_refused(data):
    try:
        parse(b"<testsuites>" + data + b"</testsuites>")
    except ReportRefused:
        assert data


def test_a_huge_report_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(junit, "MOST_BYTES", 1000)
    sealed(tmp_path, 1, suite(*[case("a.py", f"t{n}") for n in range(100)]))
    with pytest.raises(ReportRefused, match="larger"):
        read_reports(tmp_path, KEY)


def test_sessions_of_one_command_are_added_up(tmp_path):
    sealed(tmp_path, 1, suite(case("a.py", "t"), case("a.py", "u")))
    sealed(tmp_path, 2, suite(case("a.py", "t", inner="<failure message=''/>"), case("b.py", "t")))
    report = read_reports(tmp_path, KEY)
    assert (report.passed, set(report.failed)) == ({"a.py::u", "b.py::t"}, {"a.py::t"})


def test_a_report_needs_its_start_its_file_and_its_seal(tmp_path):
    with pytest.raises(ReportRefused, match="did not get to run"):
        read_reports(tmp_path, KEY)
    sealed(tmp_path, 1, suite(case("a.py", "t")))
    assert read_reports(tmp_path, KEY).total == 1
    with pytest.raises(ReportRefused, match="by something but pytest"):
        read_reports(tmp_path, "another key")
    (tmp_path / "junit-2.started").touch()
    with pytest.raises(ReportRefused, match="ended before"):
        read_reports(tmp_path, KEY)
    (tmp_path / "junit-2.xml").write_bytes(suite())
    with pytest.raises(ReportRefused, match="no seal"):
        read_reports(tmp_path, KEY)


def test_a_report_nobody_started_and_a_link_are_refused(tmp_path):
    sealed(tmp_path, 1, suite(case("a.py", "t")))
    sealed(tmp_path, 2, suite(case("a.py", "u")), started=False)
    with pytest.raises(ReportRefused):
        read_reports(tmp_path, KEY)
    (tmp_path / "junit-2.started").touch()
    (tmp_path / "junit-2.xml").unlink()
    (tmp_path / "junit-2.xml").symlink_to("/etc/passwd")
    with pytest.raises(ReportRefused):
        read_reports(tmp_path, KEY)
