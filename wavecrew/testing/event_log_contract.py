"""What every event log promises, as tests: inherit, and give the fixture `open_log`.

`open_log()` opens the log under test, the same one each time it is called; closing is the
fixture's business. What holds between several writers stands with the log that allows them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from wavecrew.journal import events as e
from wavecrew.journal.log import EventLog

OpenLog = Callable[[], EventLog]
HOSTILE = "a\u2028b\r\nc\x85 \ud800 \x00 \\u0000 ü 'quoted' \"twice\" \U0001f980"


def note(number: int, text: str = "x", task: str = "1.1") -> e.NotePosted:
    return e.NotePosted(task, 1, number, text)


class EventLogContract:
    def test_a_fact_is_written_once_however_often_it_is_appended(self, open_log: OpenLog) -> None:
        log = open_log()
        facts = [note(n) for n in range(5)]
        first = [log.append(fact) for fact in facts]
        again = [log.append(fact) for fact in facts]
        assert [event and event.seq for event in first] == [1, 2, 3, 4, 5]
        assert again == [None] * 5
        assert [event.fact for event in log.read()] == facts

    def test_an_event_says_where_it_stands_and_what_happened(self, open_log: OpenLog) -> None:
        log = open_log()
        event = log.append(note(7, "seven"))
        assert event is not None
        assert (event.seq, event.id, event.kind) == (1, "note_posted/1.1/1/7", "note_posted")
        assert event.run == log.run
        assert log.read() == (event,)

    def test_a_fact_that_was_there_already_takes_no_number(self, open_log: OpenLog) -> None:
        log = open_log()
        for number in (1, 1, 2):
            log.append(note(number))
        assert [event.seq for event in log.read()] == [1, 2]

    def test_another_text_under_the_same_id_changes_nothing(self, open_log: OpenLog) -> None:
        log = open_log()
        log.append(note(1, "first"))
        assert log.append(note(1, "second")) is None
        assert [event.fact for event in log.read()] == [note(1, "first")]

    def test_everything_new_is_told_once_and_in_order(self, open_log: OpenLog) -> None:
        log = open_log()
        told: list[int] = []
        log.on_append = lambda event: told.append(event.seq)
        for number in (1, 2, 2, 3):
            log.append(note(number))
            log.refresh()
        log.read()
        assert told == [1, 2, 3]

    def test_what_was_there_before_is_read_and_not_told(self, open_log: OpenLog) -> None:
        open_log().append(note(1))
        log = open_log()
        told: list[int] = []
        log.on_append = lambda event: told.append(event.seq)
        assert log.append(note(1)) is None
        log.refresh()
        assert [event.seq for event in log.read()] == [1]
        assert told == []

    def test_only_what_comes_after_a_number_is_read(self, open_log: OpenLog) -> None:
        log = open_log()
        for number in range(6):
            log.append(note(number))
        assert [event.seq for event in log.read(after=4)] == [5, 6]
        assert log.read(after=6) == ()

    def test_a_fact_is_known_by_its_id(self, open_log: OpenLog) -> None:
        log = open_log()
        log.append(note(1))
        assert log.has("note_posted/1.1/1/1")
        assert not log.has("note_posted/1.1/1/2")

    def test_threads_lose_nothing_and_are_told_in_order(self, open_log: OpenLog) -> None:
        log = open_log()
        told: list[int] = []
        log.on_append = lambda event: told.append(event.seq)

        def write(task: str) -> None:
            for number in range(15):
                log.append(note(number, task=task))

        threads = [threading.Thread(target=write, args=(str(n),)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert told == list(range(1, 61))
        assert [event.seq for event in log.read()] == told

    def test_text_of_every_kind_comes_back_as_it_went(self, open_log: OpenLog) -> None:
        open_log().append(note(1, HOSTILE))
        assert [event.fact for event in open_log().read()] == [note(1, HOSTILE)]

    def test_a_note_of_five_megabytes_is_kept_whole(self, open_log: OpenLog) -> None:
        long = "ü\x00" * 2_500_000
        open_log().append(note(1, long))
        assert [event.fact for event in open_log().read()] == [note(1, long)]

    def test_a_listener_may_read_the_log(self, open_log: OpenLog) -> None:
        log = open_log()
        seen: list[tuple[int, int]] = []
        log.on_append = lambda event: seen.append((event.seq, len(log.read())))
        for number in range(3):
            log.append(note(number))
        assert seen == [(1, 1), (2, 2), (3, 3)]
