"""Blobs: named by their content, whole or not there, found damaged when they are."""

import os
from pathlib import Path

import pytest

from athanor.kernel.storage import BlobDamaged, BlobNotFound, DiskNearlyFull, Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "storage"))


def test_equal_content_is_one_blob(storage: Storage, tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"content")
    assert storage.put_file(file) == storage.put_bytes(b"content")
    assert list(storage.digests()) == [storage.put_bytes(b"content").digest]
    assert storage.read(storage.put_bytes(b"content").digest) == b"content"


def test_a_folder_comes_back_as_it_was(storage: Storage, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "b").write_bytes(b"b")
    (folder / "a").write_bytes(b"a")
    blob = storage.put_folder(folder)
    assert [entry.path for entry in storage.entries(blob.digest)] == ["a", "deep/b"]
    back = storage.fetch_folder(blob.digest, tmp_path / "back")
    assert {path.name: path.read_bytes() for path in back.rglob("*") if path.is_file()} == {
        "a": b"a",
        "b": b"b",
    }
    assert storage.put_folder(back).digest == blob.digest


def test_a_damaged_blob_is_told(storage: Storage, tmp_path: Path) -> None:
    blob = storage.put_bytes(b"content")
    Path(blob.uri).write_bytes(b"contemt")
    with pytest.raises(BlobDamaged):
        storage.fetch_file(blob.digest, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "../../etc/passwd", "sha256:x", ""])
def test_what_is_not_there_is_not_found(storage: Storage, digest: str) -> None:
    with pytest.raises(BlobNotFound):
        storage.read(digest)


def test_a_nearly_full_disk_takes_nothing_more(tmp_path: Path) -> None:
    full = Storage(str(tmp_path / "storage"), reserve_bytes=1 << 60)
    with pytest.raises(DiskNearlyFull) as told:
        full.put_bytes(b"content")
    assert told.value.status == 507
    assert list(full.digests()) == []


def test_an_object_store_works_alike(tmp_path: Path) -> None:
    storage = Storage("memory://athanor-test")
    file = tmp_path / "a"
    file.write_bytes(b"content")
    blob = storage.put_folder(tmp_path)
    back = storage.fetch_folder(blob.digest, tmp_path / "back")
    assert (back / "a").read_bytes() == b"content"


def test_what_arrives_in_pieces_is_kept_as_one(storage: Storage) -> None:
    with storage.incoming() as incoming:
        for piece in (b"con", b"te", b"nt"):
            incoming.write(piece)
        kept = incoming.keep()
    assert kept == storage.put_bytes(b"content")
    with storage.incoming() as again:
        again.write(b"content")
        assert again.keep() == kept
    with storage.incoming() as nothing:
        assert nothing.keep() == storage.put_bytes(b"")
    assert storage.read(kept.digest) == b"content"


def test_large_and_small_pieces_are_hashed_in_their_order(storage: Storage) -> None:
    pieces = [
        bytes([number]) * size for number, size in enumerate((5, 3 << 20, 3 << 20, 7, 3 << 20))
    ]
    with storage.incoming() as incoming:
        for piece in pieces:
            incoming.write(piece)
        kept = incoming.keep()
    assert kept == storage.put_bytes(b"".join(pieces))


@pytest.mark.parametrize("size", [0, 1, 4_096, (4 << 20) + 1, 13 << 20])
def test_a_file_that_is_copied_whole_is_kept_as_it_is(
    storage: Storage, tmp_path: Path, size: int
) -> None:
    content = os.urandom(size)
    (tmp_path / "large").write_bytes(content)
    with (tmp_path / "large").open("rb") as stream, storage.incoming() as incoming:
        incoming.write_all(stream)
        kept = incoming.keep()
    assert kept == storage.put_bytes(content)
    assert storage.read(kept.digest) == content


def test_what_stops_arriving_leaves_nothing(storage: Storage) -> None:
    with storage.incoming() as incoming:
        incoming.write(b"half")
    assert storage.root is not None
    assert [path for path in storage.root.rglob("*") if path.is_file()] == []


def test_what_is_erased_is_left_out_of_folders(storage: Storage, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"a")
    (folder / "b").write_bytes(b"b")
    kept, gone = storage.put_folder(folder), storage.put_bytes(b"b")
    storage.erase(gone.digest)
    assert not storage.exists(gone.digest)
    assert [entry.path for entry in storage.entries(kept.digest)] == ["a"]
    fetched = storage.fetch_folder(kept.digest, tmp_path / "back")
    assert [path.name for path in fetched.iterdir()] == ["a"]
    storage.put_bytes(b"b")
    assert [entry.path for entry in storage.entries(kept.digest)] == ["a", "b"]
    other = storage.put_bytes(b"c")
    storage.remove(other.digest)
    with pytest.raises(BlobNotFound):
        storage.read(other.digest)


def test_a_folder_of_blobs_is_that_of_its_files(storage: Storage, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"a")
    kept = storage.put_folder(folder)
    assert storage.put_entries(storage.entries(kept.digest)) == kept
