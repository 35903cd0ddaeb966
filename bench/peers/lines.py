"""What the Python peers share: answers as JSON lines, and one about packages that are missing."""

import json
import sys
from contextlib import contextmanager


def say(**answer):
    print(json.dumps(answer), flush=True)


@contextmanager
def packages():
    """Around imports that may fail: then says so and ends the process."""
    try:
        yield
    except ImportError as error:
        say(missing=f"not installed ({error}); pip install -r bench/peers/requirements.txt, interpreter in TESSERA_PYTHON")
        sys.exit()
