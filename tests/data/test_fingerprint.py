import hashlib
import json

import pytest

from nlb_search.data import fingerprint
from nlb_search.data.dataset_files import RecordingFiles
from nlb_search.data.errors import DataError
from nlb_search.data.fingerprint import file_hash, recording_hash


@pytest.fixture
def memory(tmp_path):
    return tmp_path / "cache" / "hashes.json"


@pytest.fixture
def settled(monkeypatch):
    """Trust file times at once, where a user's file must be two seconds old first."""
    monkeypatch.setattr(fingerprint, "_SETTLED_NS", -1)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_known_by_the_sha256_of_its_content(tmp_path, memory):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"spikes")
    assert file_hash(path, memory) == sha256(b"spikes")


@pytest.mark.usefixtures("settled")
def test_an_unchanged_file_is_not_read_again(tmp_path, memory):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"spikes")
    file_hash(path, memory)
    # Another hash in the memory can only come back if the content is not looked at.
    memory.write_text(memory.read_text().replace(sha256(b"spikes"), sha256(b"remembered")))
    assert file_hash(path, memory) == sha256(b"remembered")
    (tmp_path / "link.nwb").symlink_to(path)
    assert file_hash(tmp_path / "link.nwb", memory) == sha256(b"remembered")


@pytest.mark.usefixtures("settled")
def test_a_changed_file_is_read_again(tmp_path, memory):
    path = tmp_path / "a.nwb"
    for content in (b"spikes", b"Spikes", b"more spikes"):
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        assert file_hash(path, memory) == sha256(content)


def test_a_file_that_was_written_just_now_is_not_remembered(tmp_path, memory):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"spikes")
    file_hash(path, memory)
    assert not memory.exists()


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("content", ['{"/a.nwb": "12 3', "", "[1, 2]", '{"%s": {"size": 3}}', '{"%s": ""}'])
def test_a_torn_or_foreign_memory_is_replaced(tmp_path, memory, content):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"spikes")
    memory.parent.mkdir()
    memory.write_text(content.replace("%s", str(path)))
    assert file_hash(path, memory) == sha256(b"spikes")
    assert list(json.loads(memory.read_text())) == [str(path)]
    assert list(memory.parent.iterdir()) == [memory]


@pytest.mark.usefixtures("settled")
def test_files_that_are_gone_are_forgotten(tmp_path, memory):
    for name in ("a.nwb", "b.nwb"):
        path = tmp_path / name
        path.write_bytes(b"spikes")
        file_hash(path, memory)
        path.unlink()
    assert list(json.loads(memory.read_text())) == [str(tmp_path / "b.nwb")]


@pytest.mark.usefixtures("settled")
def test_without_a_place_for_the_memory_the_hash_is_still_right(tmp_path):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"spikes")
    assert file_hash(path, path / "hashes.json") == sha256(b"spikes")


def test_a_recording_is_known_by_the_content_of_both_files_and_what_each_is_for(tmp_path, memory):
    a, b, copy = (tmp_path / name for name in ("a.nwb", "b.nwb", "copy.nwb"))
    a.write_bytes(b"some")
    b.write_bytes(b"other")
    copy.write_bytes(b"some")
    hashes = [
        recording_hash(RecordingFiles(train, test), memory)
        for train, test in ((a, b), (b, a), (a, None), (a, copy), (copy, b))
    ]
    assert len(set(hashes[:4])) == 4
    assert hashes[4] == hashes[0]


@pytest.mark.parametrize("name", ["absent.nwb", "folder.nwb"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, memory, name):
    (tmp_path / "folder.nwb").mkdir()
    with pytest.raises(DataError, match=name):
        file_hash(tmp_path / name, memory)
