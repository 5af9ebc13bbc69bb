"""Links to files of a run, which the service sends."""

from __future__ import annotations

import html

import streamlit as st

from app.runs import RunFolder
from app.web.service import service

__all__ = ["file_links"]


def file_links(folder: RunFolder, links: list[tuple[str, str]]) -> None:
    """A list of links.

    Args:
        folder: Of the run.
        links: Address below that of the run, and what to call it.
    """
    base = f"{service().settings.base_path}/api/v1/runs/{folder.path.name}"
    parts = [
        f'<li><a href="{base}/{html.escape(path)}" download>{html.escape(label)}</a></li>'
        for path, label in links
    ]
    st.html(f'<ul style="margin:0;padding-left:1.2rem;line-height:1.9">{"".join(parts)}</ul>')
