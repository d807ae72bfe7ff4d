"""One hash over the files of the page, for URLs that can be cached for ever."""

import hashlib
from pathlib import Path


def content_hash(folder: Path, *versions: str) -> str:
    """Twelve hex digits that change when any file below `folder` does, or one of `versions`."""
    digest = hashlib.sha256("\0".join(versions).encode())
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
