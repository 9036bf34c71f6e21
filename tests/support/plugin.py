"""A stand-in for the Session Manager plugin: it notes what it gets, and ends."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """#!{python}
import json, os, sys
if sys.argv[1:] == ["--version"]:
    print({version!r})
    sys.exit(0)
session = os.environ.get("AWS_SSM_START_SESSION_RESPONSE", "")
with open({note!r}, "w") as note:
    json.dump([sys.argv[1:], session], note)
sys.exit({exit_code})
"""


@dataclass(frozen=True)
class FakePlugin:
    """Where it is, and what it was given."""

    path: Path
    note: Path

    def arguments(self) -> list[str]:
        """Return its arguments, without its own name."""
        given: list[str] = json.loads(self.note.read_text("utf-8"))[0]
        return given

    def session(self) -> str:
        """Return the session in its environment; empty if there was none."""
        return str(json.loads(self.note.read_text("utf-8"))[1])


def fake_plugin(folder: Path, version: str = "1.2.650.0", *, exit_code: int = 0) -> FakePlugin:
    """Write it to a folder, under the plugin's name."""
    plugin = FakePlugin(folder / "session-manager-plugin", folder / "note.json")
    script = _SCRIPT.format(
        python=sys.executable, version=version, note=str(plugin.note), exit_code=exit_code
    )
    plugin.path.write_text(script, "utf-8")
    plugin.path.chmod(0o755)
    return plugin
