"""The key of the chains in a device: a real PKCS#11 module (SoftHSM), a real token, a real chain."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tools.parts import PartError, softhsm

from office.integrity import signing
from office.integrity.key_device import DeviceKey, parse_uri
from office.integrity.sealer import Sealer, rotate
from office.integrity.verifying import verify_chains
from runtime.errors import ConfigurationError
from runtime.postgres import connect
from runtime.settings import Settings
from tests.faults.tampering import KEPT

PIN = "87654321"


@dataclass(frozen=True)
class Token:
    """A token with the key pairs ``seal`` and ``next`` (Ed25519), and ``wrong`` (P-256)."""

    module: str
    folder: Path

    def uri(self, key: str = "seal", label: str = "gongche", pin: str = PIN) -> str:
        file = self.folder / f"pin-{pin}"
        if not file.exists():
            file.touch(0o600)
            file.write_text(pin + "\n")
        return f"pkcs11:token={label};object={key}?module-path={self.module}&pin-source=file:{file}"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    try:
        module = softhsm()
    except PartError as error:
        pytest.skip(f"no SoftHSM: {error}")
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters

    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(config)  # the module reads it once in a process
    words = [
        "softhsm2-util",
        "--init-token",
        "--free",
        "--label",
        "gongche",
        "--so-pin",
        "12345678",
        "--pin",
        PIN,
    ]
    subprocess.run(words, check=True, capture_output=True)
    with pkcs11.lib(module).get_token(token_label="gongche").open(rw=True, user_pin=PIN) as session:
        for name, kind, curve, how in (
            ("seal", pkcs11.KeyType.EC_EDWARDS, "1.3.101.112", pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN),
            ("next", pkcs11.KeyType.EC_EDWARDS, "1.3.101.112", pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN),
            ("wrong", pkcs11.KeyType.EC, "secp256r1", pkcs11.Mechanism.EC_KEY_PAIR_GEN),
        ):
            parameters = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
            made = session.create_domain_parameters(kind, parameters, local=True)
            made.generate_keypair(mechanism=how, store=True, label=name)
    yield Token(module, folder)
    del os.environ["SOFTHSM2_CONF"]


def test_it_signs_as_a_file_would(token: Token) -> None:
    key = signing.named_key(token.uri())
    assert key.public.signed_block("header", key.sign_block("header"))
    assert not key.public.signed_block("headers", key.sign_block("header"))
    Ed25519PublicKey.from_public_bytes(key.public.public).verify(key.sign_heads(b"x"), b"gongche heads\nx")
    assert key.id == signing.key_id(key.public.public)


def test_a_session_that_was_lost_is_opened_again(token: Token) -> None:
    key = DeviceKey(parse_uri(token.uri()))
    key._session.close()  # as the device is, when it was taken out and put back
    Ed25519PublicKey.from_public_bytes(key.public).verify(key.sign(b"after"), b"after")


def test_what_cannot_be_used_is_told(token: Token) -> None:
    for uri, says in (
        (token.uri(key="nobody"), "没有该密钥"),
        (token.uri(label="nobody"), "没有该令牌"),
        (token.uri(key="wrong"), "Ed25519"),
        (token.uri().replace(token.module, "/nowhere.so"), "/nowhere.so"),
    ):
        with pytest.raises(ConfigurationError) as refused:
            signing.named_key(uri)
        assert says in f"{refused.value.message} {refused.value.hint}"
        assert PIN not in f"{refused.value.message} {refused.value.hint}"
    with pytest.raises(ConfigurationError, match="只能设一项"):
        signing.load_key(Settings(seal_key_uri=token.uri(), seal_key_file=Path("seal.key")), make=False)


def test_a_wrong_pin_is_tried_once(token: Token) -> None:
    """Tokens lock themselves after some attempts. In a process of its own: this one has signed in already."""
    program = """
import sys
from office.integrity import signing
from runtime.errors import ConfigurationError
wrong, right = sys.argv[1:]
for _ in range(20):
    try:
        signing.named_key(wrong)
    except ConfigurationError as error:
        assert "PIN" in error.hint, error.hint
    else:
        raise SystemExit("taken")
print(signing.named_key(right).id)
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, token.uri(pin="1234"), token.uri()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == signing.named_key(token.uri()).id


async def test_a_chain_sealed_by_a_device_holds(token: Token, db_url: str, tmp_path: Path) -> None:
    """From a key in a file to one in the device, to the next one in it: what each sealed holds, from the first key on."""
    connection = await connect(db_url)
    try:
        settings = [
            Settings(data_dir=tmp_path),
            *(Settings(data_dir=tmp_path, seal_key_uri=token.uri(k)) for k in ("seal", "next")),
        ]
        keys = [signing.load_key(settings[0], make=True)]
        keys += [signing.load_key(one, make=False) for one in settings[1:]]
        for place, one in enumerate(settings):
            if place:
                await rotate(connection, keys[place - 1], keys[place])
            await connection.execute(
                "INSERT INTO audit (who_kind, who_id, operation, action, subject_kind)"
                " VALUES ('command', 'test', 'test', 'read', 'cases')"
            )
            await Sealer(one, make_key=False).seal_all(connection)
        signed = await connection.fetch(
            "SELECT key_id FROM seal_blocks WHERE stream = 'audit' ORDER BY number"
        )
        assert [row["key_id"] for row in signed] == [key.id for key in keys]
        assert (await verify_chains(connection, KEPT, trusted=keys[0].id)).findings == []
        assert (await verify_chains(connection, KEPT, trusted=keys[2].id)).findings != []
    finally:
        await connection.close()
