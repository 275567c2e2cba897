"""Sealing: what is sealed opens with its key and for its purpose alone; the key's file is ours alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netctl.errors import StoreUnavailable
from netctl.model.vm import Sealed
from netctl.server.sealing import KEY_BYTES, load_seal, new_secret, random_seal


@given(st.text(), st.sampled_from(["user_data", "vtpm_secret"]))
def test_what_is_sealed_opens(text: str, purpose: str) -> None:
    seal = random_seal()
    sealed = seal.seal(purpose, text)
    assert seal.open(purpose, sealed) == text
    assert seal.seal(purpose, text) == sealed
    assert (sealed == "") is (text == "")
    if len(text) > 3:
        assert text not in sealed


def test_nothing_else_opens_it() -> None:
    seal = random_seal()
    sealed = seal.seal("user_data", "sesame")
    spoilt = Sealed(sealed[:-2] + ("A" if sealed[-2] != "A" else "B") + sealed[-1])
    for opener, purpose, text in (
        (random_seal(), "user_data", sealed),
        (seal, "meta_data", sealed),
        (seal, "user_data", spoilt),
        (seal, "user_data", Sealed("sesame")),
        (seal, "user_data", Sealed("sealed1:AAAA")),
    ):
        with pytest.raises(StoreUnavailable, match=r"cannot be opened.*secrets\.key") as failed:
            opener.open(purpose, text)
        assert "sesame" not in str(failed.value)


def test_the_key_is_made_once_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets.key"
    sealed = load_seal(path).seal("user_data", "sesame")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) == KEY_BYTES
    assert load_seal(path).open("user_data", sealed) == "sesame"
    assert [one.name for one in tmp_path.iterdir()] == ["secrets.key"]


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda path: path.chmod(0o640), "can be read by others: chmod 600"),
        (lambda path: path.write_bytes(b"short"), "has 5 bytes"),
        (lambda path: (path.unlink(), path.mkdir()), "can be read by others|cannot be read"),
    ],
)
def test_a_wrong_key_file_is_refused(tmp_path: Path, spoil: object, text: str) -> None:
    path = tmp_path / "secrets.key"
    load_seal(path)
    assert callable(spoil)
    spoil(path)
    with pytest.raises(StoreUnavailable, match=text):
        load_seal(path)


def test_secrets_are_new() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
