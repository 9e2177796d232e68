"""Runs the command of the Python package atproto-oauth-py at the reference network.

    python python.py init HANDLE --client-id CLIENT_ID --redirect-uri URI
    python python.py complete URL

The environment variable REFERENCE_NETWORK describes the network. The package
resolves handles and DIDs at public hosts only, so this script sends these
requests to the network instead. All other requests are those of the package.
"""
import json
import os
import signal
import sys

import httpx
from atproto_oauth.cli import main

LIMIT_SECONDS = 60
PUBLIC_DIRECTORY = "https://plc.directory/"
WELL_KNOWN = "/.well-known/atproto-did"

network = json.loads(os.environ["REFERENCE_NETWORK"])
real_get = httpx.get


def get(url, **options):
    if url.startswith(PUBLIC_DIRECTORY):
        url = f"{network['plc']}/{url.removeprefix(PUBLIC_DIRECTORY)}"
    elif url.endswith(WELL_KNOWN):
        # The network answers for the handle in the Host header.
        options["headers"] = {"host": httpx.URL(url).host}
        url = network["resolver"] + WELL_KNOWN
    return real_get(url, **options)


httpx.get = get
signal.alarm(LIMIT_SECONDS)
sys.exit(main())
