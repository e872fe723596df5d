"""What every shelf promises, as tests: inherit, and give the fixture `open_shelf`.

`open_shelf()` opens the shelf under test, the same one each time, as another engine would.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from wavecrew.journal.shelf import Shelf

OpenShelf = Callable[[], Shelf]


class ShelfContract:
    def test_what_was_saved_is_loaded_by_whoever_asks(self, open_shelf: OpenShelf) -> None:
        open_shelf().save("reports/1.1-1-1.json", b"{}")
        assert open_shelf().load("reports/1.1-1-1.json") == b"{}"

    def test_what_was_never_saved_is_none(self, open_shelf: OpenShelf) -> None:
        shelf = open_shelf()
        shelf.save("reports/a", b"a")
        assert shelf.load("reports/b") is None
        assert shelf.load("elsewhere/a") is None

    def test_an_empty_document_is_a_document(self, open_shelf: OpenShelf) -> None:
        shelf = open_shelf()
        shelf.save("a", b"")
        assert shelf.load("a") == b""

    def test_the_last_one_saved_counts(self, open_shelf: OpenShelf) -> None:
        shelf = open_shelf()
        for content in (b"first, and longer", b"second"):
            shelf.save("a/b", content)
        assert open_shelf().load("a/b") == b"second"

    def test_bytes_of_every_kind_come_back(self, open_shelf: OpenShelf) -> None:
        content = bytes(range(256)) * 20_000
        open_shelf().save("a", content)
        assert open_shelf().load("a") == content

    @pytest.mark.parametrize("name", ["ü b~'c", "a.b.c", "deep/er/still/x.log"])
    def test_names_stay_apart(self, open_shelf: OpenShelf, name: str) -> None:
        shelf = open_shelf()
        shelf.save(name, b"this")
        shelf.save(name + ".log", b"that")
        assert (shelf.load(name), shelf.load(name + ".log")) == (b"this", b"that")

    @pytest.mark.parametrize("name", ["", ".", "/etc/passwd", "../a", "a/../../b", "a\x00b"])
    def test_a_name_that_leads_outside_is_refused(self, open_shelf: OpenShelf, name: str) -> None:
        shelf = open_shelf()
        with pytest.raises(ValueError, match="no name for a document"):
            shelf.save(name, b"")
        with pytest.raises(ValueError, match="no name for a document"):
            shelf.load(name)

    def test_a_reader_never_sees_half_a_document(self, open_shelf: OpenShelf) -> None:
        whole = [bytes([letter]) * 300_000 for letter in b"abcd"]
        open_shelf().save("a", whole[0])

        def write(_: int) -> None:
            shelf = open_shelf()
            for content in whole:
                shelf.save("a", content)

        reader = open_shelf()
        with ThreadPoolExecutor(1) as one:
            writing = [one.submit(write, n) for n in range(3)]
            while not all(future.done() for future in writing):
                assert reader.load("a") in whole
        assert [future.result() for future in writing] == [None] * 3
        assert reader.load("a") == whole[-1]
