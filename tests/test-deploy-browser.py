#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A browser at the far end: Chromium loads a page with 50 assets through nginx and a tunnel."""

import base64
import hashlib
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import namespace  # noqa: E402

namespace.enter()

from deploy import CERTIFICATES, Group, Sites, Way, make_certificates, place  # noqa: E402
from harness import DEADLINE, main, test  # noqa: E402
from website import ASSETS, assets  # noqa: E402


def key_hash():
    """What a browser knows a certificate's key by."""
    words = ('openssl', 'pkey', '-in', CERTIFICATES / 'privkey.pem', '-pubout', '-outform', 'DER')
    key = subprocess.run(words, check=True, capture_output=True).stdout
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def browse(url):
    """The page as it is once all of it is there. In the namespace, Chromium is root, which its
    sandbox does not take; the certificate is one that only this machine knows."""
    done = subprocess.run(
        ['chromium', '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
         '--disable-background-networking', f'--user-data-dir={pathlib.Path.home()}/chromium',
         f'--ignore-certificate-errors-spki-list={key_hash()}', '--dump-dom', url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        timeout=DEADLINE)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@test
def fifty_assets():
    pathlib.Path('/var/log/nginx').mkdir()
    place('nginx.conf', '/etc/nginx/nginx.conf')
    Group('/usr/sbin/nginx', '-g', 'daemon off;').wait_ports(443)
    way = Way('nginx.md')
    client = way.client()
    page = browse('https://app.example.org/assets')
    count = re.search(r'<p id="count">(\d+)</p>', page)
    assert count and int(count[1]) == ASSETS, page
    asked = [path for path in sites.app.paths if path.startswith('/asset-')]
    assert sorted(asked) == sorted(assets()), asked
    client.stop()
    way.server.stop()


make_certificates()
with Sites() as sites:
    main()
