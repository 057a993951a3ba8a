"""Options as settings of Visual Studio Code: what the extension's package.json says about them.

Knows the declarations in `config` and how that file writes settings; the extension's own settings are not its business.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from rest_lsp.config import Option, options
from rest_lsp.config_text import allowed_words, limits

PREFIX = "restLsp."
PACKAGE_FILE = Path(__file__).parent.parent / "editor_extension" / "vscode" / "package.json"

_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum"}


def setting_name(option: Option) -> str:
    """`completion.top_k` is `restLsp.completion.topK`."""
    return PREFIX + option.section + "." + re.sub(r"_([a-z])", lambda match: match[1].upper(), option.name)


def setting(option: Option) -> dict[str, Any]:
    """The declaration of one setting."""
    declared: dict[str, Any] = {**_type(option), "default": _default(option)}
    # A machine's folders are no business of a workspace, and differ between this machine and a remote one.
    declared["scope"] = "machine" if option.is_personal else "window"
    return {**declared, "markdownDescription": option.description}


def configuration() -> list[dict[str, Any]]:
    """One block for each section, as `contributes.configuration` lists them after the extension's own."""
    return [
        {"id": PREFIX + section, "title": section.capitalize(), "order": order, "properties": _properties(section)}
        for order, section in enumerate(dict.fromkeys(option.section for option in options()), start=1)
    ]


def with_settings(package: str) -> str:
    """The text of package.json with the server's settings made anew; its first block, the extension's own, stays."""
    content = json.loads(package)
    contributes = content["contributes"]
    contributes["configuration"] = [contributes["configuration"][0], *configuration()]
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Write the file anew."""
    PACKAGE_FILE.write_text(with_settings(PACKAGE_FILE.read_text(encoding="utf-8")), encoding="utf-8")


def _properties(section: str) -> dict[str, Any]:
    return {setting_name(option): setting(option) for option in options() if option.section == section}


def _type(option: Option) -> dict[str, Any]:
    annotation = option.field.annotation
    if option.is_switch:
        return {"type": "boolean"}
    if option.is_list:
        return {"type": "array", "items": {"type": "string"}}
    if annotation in (int, float):
        return {"type": "integer" if annotation is int else "number", **_limits(option)}
    if words := allowed_words(option):
        return {"type": "string", "enum": list(words)}
    return {"type": "string" if annotation is str else ["string", "null"]}


def _default(option: Option) -> Any:
    """Null where the default depends on the machine."""
    if option.extra("shown"):
        return None
    return list(option.default) if option.is_list else option.default


def _limits(option: Option) -> dict[str, float]:
    return {_LIMITS[name]: value for name, value in limits(option).items()}


if __name__ == "__main__":
    write()
