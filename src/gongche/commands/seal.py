"""``gongche seal``: seal what waits, export the signed heads of the chains, make and change the key."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from gongche.commands.database import on_database
from office.integrity import heads, sealer, signing
from runtime.connection import Connection
from runtime.errors import ConfigurationError
from runtime.settings import load_settings
from runtime.units import CHINA


def add_arguments(parser: argparse.ArgumentParser) -> None:
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument(
        "--export", type=Path, metavar="DIR", help="把已签名的链头写入该目录 / write the signed heads there"
    )
    asked.add_argument(
        "--new-key",
        type=Path,
        metavar="FILE",
        help="生成新密钥文件，不动数据库 / make a new key file, nothing else",
    )
    asked.add_argument(
        "--rotate",
        metavar="FILE|pkcs11:...",
        help="改用该密钥，由现用密钥签名确认 / sign with this key from now on; the present one says so",
    )
    asked.add_argument("--key", action="store_true", help="显示公钥 / show the public key")
    parser.epilog = """\
平时由 judge 封存；本命令立即封存尚未封存的记录
The judge seals all the time; this command seals at once what waits.
密钥 / the key: GONGCHE_SEAL_KEY_FILE, or seal.key in the data directory; in a device: GONGCHE_SEAL_KEY_URI. 更换 / to change it:
  gongche seal --new-key new.key; gongche seal --rotate new.key
  然后把 new.key 换到原密钥的位置并重启 judge / then put new.key in the place of the old one and restart the judges"""


def run(args: argparse.Namespace) -> int:
    if args.new_key is not None:
        return _new_key(args.new_key)
    if args.key:
        key = signing.load_key(load_settings(), make=False)
        print(f"{key.id} {key.public.public.hex()}")
        return 0
    return on_database("seal", _rotate if args.rotate is not None else _seal, args)


def _new_key(path: Path) -> int:
    if path.exists():
        raise ConfigurationError(f"{path} 已存在 / is there already", hint="choose another name")
    signing.write_key(path)
    key = signing.read_signing_key(path)
    print(f"{key.id} {key.public.public.hex()}")
    return 0


async def _rotate(args: argparse.Namespace, connection: Connection) -> int:
    old, new = signing.load_key(load_settings(), make=False), signing.named_key(args.rotate)
    try:
        await sealer.rotate(connection, old, new)
    except ValueError:
        raise ConfigurationError(
            f"现用密钥 {old.id} 未登记 / the present key is not known to the database",
            hint="GONGCHE_SEAL_KEY_FILE (or _URI) must name the key that signed until now",
        ) from None
    print(f"{old.id} -> {new.id}")
    return 0


async def _seal(args: argparse.Namespace, connection: Connection) -> int:
    sealing = sealer.Sealer(load_settings(), make_key=False)
    await sealing.seal_all(connection)
    left = await sealer.waiting(connection)
    print(f"尚未封存 / not sealed yet: {left.rows:,}")
    if args.export is not None:
        now = datetime.now(UTC)
        # By the second: what is exported by hand does not take the place of the file of the day.
        path = args.export / f"gongche-heads-{now.astimezone(CHINA):%Y-%m-%dT%H%M%S}.json"
        try:
            heads.write(path, heads.make(await heads.read(connection), sealing.key, now))
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror or error}") from error
        print(path)
    return 0
