"""What the tests' servers share, and what they must not."""

from __future__ import annotations

from testbed.database.servers import Cluster


def test_no_two_servers_share_a_folder_for_temporary_tables(replication: Cluster) -> None:
    """A server that starts removes the temporary tables of every server that shares it."""
    folders = {server.query("SELECT @@tmpdir").rows[0][0] for server in replication.servers}
    assert len(folders) == len(replication.servers)
    assert "/tmp" not in folders
