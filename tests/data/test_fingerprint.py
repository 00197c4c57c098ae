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
    """Trust modification times at once, which are otherwise trusted after two seconds."""
    monkeypatch.setattr(fingerprint, "_SETTLED_NS", -1)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_file_hash_is_sha256_of_content(tmp_path, memory):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"spikes")
    assert file_hash(path, memory) == sha256(b"spikes")


@pytest.mark.usefixtures("settled")
def test_unchanged_file_is_not_read_again(tmp_path, memory):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"spikes")
    file_hash(path, memory)
    # A wrong cached hash is only returned if the content is not read.
    memory.write_text(memory.read_text().replace(sha256(b"spikes"), sha256(b"remembered")))
    assert file_hash(path, memory) == sha256(b"remembered")
    (tmp_path / "link.nwb").symlink_to(path)
    assert file_hash(tmp_path / "link.nwb", memory) == sha256(b"remembered")


@pytest.mark.usefixtures("settled")
def test_changed_file_is_read_again(tmp_path, memory):
    path = tmp_path / "a.nwb"
    for content in (b"spikes", b"Spikes", b"more spikes"):
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        assert file_hash(path, memory) == sha256(content)


def test_recently_written_file_is_not_cached(tmp_path, memory):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"spikes")
    file_hash(path, memory)
    assert not memory.exists()


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("content", ['{"/a.nwb": "12 3', "", "[1, 2]", '{"%s": {"size": 3}}', '{"%s": ""}'])
def test_invalid_hash_cache_is_replaced(tmp_path, memory, content):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"spikes")
    memory.parent.mkdir()
    memory.write_text(content.replace("%s", str(path)))
    assert file_hash(path, memory) == sha256(b"spikes")
    assert list(json.loads(memory.read_text())) == [str(path)]
    assert list(memory.parent.iterdir()) == [memory]


@pytest.mark.usefixtures("settled")
def test_deleted_files_are_removed_from_the_hash_cache(tmp_path, memory):
    for name in ("a.nwb", "b.nwb"):
        path = tmp_path / name
        path.write_bytes(b"spikes")
        file_hash(path, memory)
        path.unlink()
    assert list(json.loads(memory.read_text())) == [str(tmp_path / "b.nwb")]


@pytest.mark.usefixtures("settled")
def test_hash_without_writable_cache(tmp_path):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"spikes")
    assert file_hash(path, path / "hashes.json") == sha256(b"spikes")


def test_recording_hash_depends_on_content_and_role_of_files(tmp_path, memory):
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
def test_unreadable_file_is_named(tmp_path, memory, name):
    (tmp_path / "folder.nwb").mkdir()
    with pytest.raises(DataError, match=name):
        file_hash(tmp_path / name, memory)
