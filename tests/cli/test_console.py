"""`recommender console` as a process: the link that it prints signs in, and a signal ends it."""

import http.cookiejar
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit


def test_the_console_opens_by_the_link_that_it_prints(live: Path) -> None:
    command = [sys.executable, "-m", "recommender.cli", "console", "--port", "0"]
    with subprocess.Popen(
        [*command, "--config", str(live)], stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            link = process.stdout.readline().strip()
            assert urlsplit(link).hostname == "127.0.0.1"
            jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
            with urllib.request.build_opener(jar).open(link, timeout=20) as answer:
                assert urlsplit(answer.url).path == "/console/acme/"
                assert b"Live now" in answer.read()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) in (0, -signal.SIGTERM, 143)
        finally:
            process.kill()
