"""moto's server, as its own command starts it: threaded Werkzeug. Prints its URL when ready."""

import threading
import time
import urllib.request

from moto.server import main

PORT = 4598


def _announce() -> None:
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/moto-api/", timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            print(f"http://127.0.0.1:{PORT}", flush=True)
            return


if __name__ == "__main__":
    threading.Thread(target=_announce, daemon=True).start()
    main(["-H", "127.0.0.1", "-p", str(PORT)])
