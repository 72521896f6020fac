"""A small stand-in for a service: answers 200, has a child of its own, and obeys or ignores SIGTERM as told.

python -m tests.supervisor.standin PORT [--ignore-term] [--die-while FILE] [--detach]
"""

import argparse
import http.server
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--die-while", type=Path)
    parser.add_argument("--detach", action="store_true")
    options = parser.parse_args()
    if options.die_while and options.die_while.exists():
        sys.stdout.write("cannot live\n")
        sys.exit(7)
    child = subprocess.Popen(["sleep", "600"], start_new_session=options.detach)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Answer)

    def stop(number: int, frame: object) -> None:
        if not options.ignore_term:
            child.kill()
            threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    sys.stdout.write(f"stand-in {os.getpid()} listens, child {child.pid}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
