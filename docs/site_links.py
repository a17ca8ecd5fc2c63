"""Makes the site of `make docs` from the documents as they lie in the repository: a hook of MkDocs.

A document links to others and to code by paths, which lead right where the repository is read. The site has
documents alone: links between them become the site's, and a link to code is shown as text with its path. One
that leads nowhere is an error (`strict`).
"""

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).resolve().parents[1]
# Documents outside docs/, and what they are called in the site.
_OUTSIDE = {
    "README.md": "index.md",
    "README.zh-CN.md": "README.zh-CN.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "reporting.md",
    "runtime/README.md": "runtime.md",
    "client/README.md": "client.md",
}
# A line break would be shown as a space, which Chinese has not.
_CHINESE_BREAK = re.compile(r"(?<=[。！？）])\n *(?=[\u4e00-\u9fff*`\[])")
# A link, where it is no code. Its text may be code.
_LINK = re.compile(
    r"^ *(?P<fence>```+).*?^ *(?P=fence)|(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^()\s]+)\)|`[^`\n]*`",
    re.MULTILINE | re.DOTALL,
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents outside docs/."""
    for name, uri in _OUTSIDE.items():
        files.append(File.generated(config, uri, abs_src_path=str(_ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 -- MkDocs' signature
    """Turn the links of a page into the site's."""
    source = Path(page.file.abs_src_path or "").relative_to(_ROOT)
    here = Path(page.file.src_uri).parent

    def turned(link: re.Match[str]) -> str:
        if link["target"] is None:
            return link[0]
        path, hash_, anchor = link["target"].partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return link[0]
        target = Path(os.path.normpath(source.parent / path))
        uri = _OUTSIDE.get(target.as_posix()) or os.path.relpath(target, "docs")
        if files.get_file_from_path(uri):
            return f"{link['image']}[{link['text']}]({os.path.relpath(uri, here)}{hash_}{anchor})"
        # What is not there stays a link, which MkDocs refuses.
        return f"{link['text']} (`{target}`)" if (_ROOT / target).exists() else link[0]

    return _LINK.sub(turned, _CHINESE_BREAK.sub("", markdown))
