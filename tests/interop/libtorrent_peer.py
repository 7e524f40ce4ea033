"""Runs a peer of libtorrent until it is killed: `libtorrent_peer.py TORRENT TRACKER FOLDER IP`."""

import sys
import time

import libtorrent

# It speaks to the tracker and to the peers that the tracker names, all on one address.
ALONE = {
    "enable_dht": False, "enable_lsd": False, "enable_natpmp": False, "enable_upnp": False,
    "allow_multiple_connections_per_ip": True,
}  # fmt: skip


def main() -> None:
    torrent, tracker, folder, ip = sys.argv[1:]
    session = libtorrent.session({**ALONE, "listen_interfaces": f"{ip}:0"})
    params = libtorrent.load_torrent_file(torrent)
    params.trackers = [tracker]
    params.save_path = folder
    session.add_torrent(params)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
