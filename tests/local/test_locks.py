"""One run at a time, also where the last one removed the folder that the lock is in."""

from __future__ import annotations

import threading
from pathlib import Path

from local import locks


def test_who_waited_for_a_removed_folder_holds_the_new_one(tmp_path: Path) -> None:
    lock = tmp_path / "place" / locks.NAME
    waits, enters, leaves = threading.Event(), threading.Event(), threading.Event()

    def waiter() -> None:
        with locks.locked(lock, waiting=waits.set):
            enters.set()
            leaves.wait(30)

    thread = threading.Thread(target=waiter)
    with locks.locked(lock):
        (lock.parent / "cluster").mkdir()
        (lock.parent / "state").touch()
        thread.start()
        assert waits.wait(30)
        locks.remove(lock.parent)
        assert not lock.exists()
    try:
        assert enters.wait(30)
        # It holds the file that a third one would find, not the one that was removed.
        third = threading.Event()
        late = threading.Thread(target=lambda: _once(lock, third), daemon=True)
        late.start()
        assert third.wait(30)
    finally:
        leaves.set()
        thread.join(30)
    late.join(30)
    assert not late.is_alive()


def _once(lock: Path, waits: threading.Event) -> None:
    with locks.locked(lock, waiting=waits.set):
        pass


def test_a_folder_goes_with_its_lock_and_links_are_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    folder = tmp_path / "place"
    with locks.locked(folder / locks.NAME):
        (folder / "link").symlink_to(kept)
        (folder / "deep" / "er").mkdir(parents=True)
        locks.remove(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (kept / "file").exists()
