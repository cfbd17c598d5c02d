"""The page of the command line, from the commands themselves; the width of the terminal plays no part."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from laion_fmri.reference.markdown import code, codes, escape, table
from laion_fmri.reference.template import render

Section = dict[str, str]


def command_page(source: str) -> str:
    """Return the page of the command line; `source` is the catalog that its filters and flags come from."""
    from laion_fmri.cli.app import PROGRAM, program

    origin = f"the commands of laion_fmri.cli and {source}"
    return render("cli.md.jinja", origin, sections=[*sections(program, PROGRAM)])


def sections(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[Section]:
    """Yield what there is to say about a command and, below it, each of its commands.

    Examples
    --------
    >>> @click.command(help="Say hello.")
    ... @click.option("--times", type=int, default=1, help="How often.")
    ... def hello(times): ...
    >>> next(sections(hello, "hello"))["usage"]
    'hello [OPTIONS]'
    """
    context = click.Context(command, info_name=name, parent=parent)
    yield {
        "name": context.command_path,
        "summary": escape(command.get_short_help_str(limit=200)),
        "help": prose(command.help or ""),
        "usage": " ".join([context.command_path, *command.collect_usage_pieces(context)]),
        "parameters": _parameters(command, context),
        "epilog": prose(command.epilog or ""),
    }
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found and not found.hidden:
                yield from sections(found, child, context)


def prose(text: str) -> str:
    r"""Return help text as Markdown; a paragraph after click's mark ``\b`` keeps its lines."""
    paragraphs = inspect.cleandoc(text.partition("\f")[0]).split("\n\n")
    return "\n\n".join(_paragraph(paragraph.strip("\n")) for paragraph in paragraphs).strip()


def _paragraph(text: str) -> str:
    verbatim = text.removeprefix("\b")
    return escape(text) if verbatim == text else f"```text\n{verbatim.strip()}\n```"


def _parameters(command: click.Command, context: click.Context) -> str:
    options = [
        each
        for each in command.get_params(context)
        if isinstance(each, click.Option) and not each.hidden and "--help" not in each.opts
    ]
    rows = (
        [codes([*each.opts, *each.secondary_opts]), _value(each), _default(each), escape(each.help or "")]
        for each in options
    )
    return table(["Option", "Value", "Default", "Meaning"], rows) if options else ""


def _value(option: click.Option) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return codes(map(str, option.type.choices), " or")
    return code(option.metavar or option.type.name.upper())


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    default = option.to_info_dict()["default"]
    return code(str(default)) if default and not option.is_flag else ""
