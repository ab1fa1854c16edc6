"""Copies of a server's files without a store: taken while it runs, and made into other servers."""

from __future__ import annotations

import shutil
from pathlib import Path

from .servers import HOST, ROOT, Account, Installation, Server, Settings

PROGRAM = "mariadb-backup"
TIMEOUT = 60
POSITIONS = ("mariadb_backup_binlog_info", "xtrabackup_binlog_info")
"""The file with the position of the copy, of newer series and of older ones."""


def available() -> bool:
    """Whether this machine can make them (Debian: mariadb-backup)."""
    return shutil.which(PROGRAM) is not None


def run(installation: Installation, log: Path, *command: str) -> None:
    """Run a command to its end, as the account of the servers. Raises RuntimeError."""
    if installation.spawn(*command, log=log).wait(TIMEOUT):
        raise RuntimeError(log.read_text(errors="replace")[-2000:])


def copy(installation: Installation, server: Server, folder: Path, account: Account = ROOT) -> Path:
    """The files of a server as they are now, ready to be restored. `folder`: is made."""
    folder.mkdir()
    installation.own(folder)
    login, log, target = folder / "login.cnf", folder / "copy.log", folder / "files"
    login.write_text(f"[client]\nuser={account.user}\npassword={account.password}\n")
    installation.own(login)
    where = (f"--datadir={server.data}", f"--host={HOST}", f"--port={server.port}")
    common = (f"--target-dir={target}", "--innodb-use-native-aio=0")
    option_file = f"--defaults-file={login}"
    run(installation, log, PROGRAM, option_file, "--backup", *common, *where, "--skip-ssl")
    run(installation, log, PROGRAM, "--no-defaults", "--prepare", *common)
    return target


def restored(
    installation: Installation, files: Path, directory: Path, port: int, settings: Settings
) -> Server:
    """A server that has the files of a copy and does not run yet."""
    server = Server(installation, directory, port, settings)
    shutil.rmtree(server.data)
    into = (f"--target-dir={files}", f"--datadir={server.data}")
    run(installation, directory / "restore.log", PROGRAM, "--no-defaults", "--copy-back", *into)
    return server


def position(files: Path) -> str:
    """What the file of the position says. Only a copy has it: the operator's Job puts it into the
    restored server as `mariadb-operator.info` (v25.10.4, pkg/command/backup.go)."""
    (text,) = (path.read_text() for name in POSITIONS if (path := files / name).exists())
    return text
