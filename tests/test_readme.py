import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_what_the_readme_links_to_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(links) >= 5
    assert [link for link in links if not (ROOT / link).exists()] == []
