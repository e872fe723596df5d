"""The line between engine and agent: real sockets, hostile bytes."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from wavecrew.run import wire
from wavecrew.run.line import Line


def answer(request: wire.Request) -> wire.Reply:
    if isinstance(request, wire.BoardRead):
        return wire.BoardText(text="board \u2028 ü\n")
    return wire.Refused(why=f"no {request.ask}")


@pytest.fixture
def line(tmp_path: Path):
    line = Line(tmp_path / "s", answer)
    yield line
    line.close()


def test_a_request_gets_its_reply(line: Line, tmp_path: Path) -> None:
    end = wire.EngineLine(tmp_path / "s", timeout_s=5)
    assert end.ask(wire.BoardRead()) == wire.BoardText(text="board \u2028 ü\n")
    assert end.ask(wire.Reserve(prompt=2, answer=1)) == wire.Refused(why="no reserve")
    end.close()


@pytest.mark.parametrize(
    "nonsense",
    [b"\n", b"{}\n", b"[]\n", b"nonsense\n", b'{"ask": "submit"}\n', b'{"ask": "rm"}\n', b"\xff\n"],
)
def test_nonsense_is_refused_and_the_line_stays_open(
    line: Line, tmp_path: Path, nonsense: bytes
) -> None:
    raw = socket.socket(socket.AF_UNIX)
    raw.settimeout(5)
    raw.connect(str(tmp_path / "s"))
    file = raw.makefile("rwb")
    file.write(nonsense)
    file.flush()
    assert json.loads(file.readline())["reply"] == "Refused"
    file.write(b'{"ask": "board"}\n')
    file.flush()
    assert json.loads(file.readline())["reply"] == "BoardText"
    file.close()
    raw.close()


def test_an_engine_that_is_gone_is_a_connection_error(tmp_path: Path) -> None:
    line = Line(tmp_path / "s", answer)
    end = wire.EngineLine(tmp_path / "s", timeout_s=5)
    end.ask(wire.BoardRead())
    line.close()
    with pytest.raises(OSError):
        end.ask(wire.BoardRead())
    end.close()


def test_every_request_comes_back_as_it_went() -> None:
    samples: list[wire.Request] = [
        wire.Submit(tree="t", pack=Path("p"), summary="s", submission=1),
        wire.CrewReport(summary="s", send_back="1.1", reason="r"),
        wire.Step(step=1, what="model", brief="b"),
    ]
    for sample in samples:
        assert wire.decode_request(sample.model_dump_json().encode()) == sample


def test_a_line_of_a_journal_comes_over_whole_whatever_is_in_it(tmp_path: Path) -> None:
    came: list[wire.Recorded] = []

    def take(request: wire.Request) -> wire.Reply:
        assert isinstance(request, wire.Recorded)
        came.append(request)
        return wire.Noted()

    line = Line(tmp_path / "r", take)
    end = wire.EngineLine(tmp_path / "r", timeout_s=30)
    given = [b"  \xed\xa0\x80 \x00 \xc2\x85 \n", b"x" * 9_000_000 + b"\n"]
    for number, content in enumerate(given, start=1):
        assert end.ask(wire.Recorded.of(number, content)) == wire.Noted()
    end.close()
    line.close()
    assert [(request.number, request.line) for request in came] == [(1, given[0]), (2, given[1])]


def test_a_request_that_never_ends_is_refused_and_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wavecrew.run.line.LONGEST_REQUEST", 1000)
    line = Line(tmp_path / "r", answer)
    with socket.socket(socket.AF_UNIX) as raw, raw.makefile("rwb") as file:
        raw.settimeout(5)
        raw.connect(str(tmp_path / "r"))
        file.write(b"x" * 1000)
        file.flush()
        assert "longer than 1000 bytes" in json.loads(file.readline())["why"]
        assert file.readline() == b""
    line.close()


def test_a_line_may_lie_deeper_than_a_sockets_address_is_long(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    line = Line(folder / "s", answer)
    end = wire.EngineLine(folder / "s", timeout_s=5)
    assert end.ask(wire.BoardRead()) == wire.BoardText(text="board \u2028 ü\n")
    end.close()
    line.close()
    assert not (folder / "s").exists()
