"""Flags that take several values, and flags made from the entities of a catalog."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from laion_fmri.catalog.entities import ALL, Entity

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def spread(args: Iterable[str], flags: Collection[str]) -> tuple[list[str], list[str]]:
    """Write a flag before each of its values.

    Parameters
    ----------
    args : iterable of str
        Words of a command line.
    flags : collection of str
        The flags that take several values.

    Returns
    -------
    spread : list of str
        The words that click understands.
    empty : list of str
        The flags that came without a value.

    Examples
    --------
    >>> spread(["--ses", "01", "02", "--n-jobs", "4"], {"--ses"})
    (['--ses=01', '--ses=02', '--n-jobs', '4'], [])
    """
    words: list[str] = []
    empty: list[str] = []
    flag = None
    for arg in args:
        name, equals, _ = arg.partition("=")
        if arg.startswith("-"):
            flag = name if name in flags else None
            if flag and not equals:
                empty.append(flag)
            else:
                words.append(arg)
        elif flag:
            words.append(f"{flag}={arg}")
            if flag in empty:
                empty.remove(flag)
        else:
            words.append(arg)
    return words, empty


class ValuesOption(click.Option):
    """An option that takes one or more values after one flag, and completes each of them.

    Parameters
    ----------
    name : str
        Name of the entity; the flag is made from it.
    entities : sequence of Entity
        What the name may stand for.
    special : sequence of str
        Words beside their values, such as ``"all"``.
    alone : str, optional
        What the flag means without a value; without this it needs one.
    unless : str, optional
        Another option, without which this one is required.
    **given
        Further attributes of `click.Option`.
    """

    def __init__(
        self,
        name: str,
        entities: Sequence[Entity],
        special: Sequence[str] = (),
        alone: str | None = None,
        unless: str | None = None,
        **given: Any,
    ) -> None:
        self.entity = name
        self.entities = entities
        self.special = special
        self.alone = alone
        self.unless = unless
        text = " ".join(values_help(entity, special) for entity in entities)
        metavar = "[VALUE...]" if alone else "VALUE..."
        super().__init__([flag_of(name), name], **{"multiple": True, "metavar": metavar, "help": text, **given})

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the values; none where another option stands in for this one."""
        stands_in = self.unless and is_given(ctx, self.unless) and not is_given(ctx, self.entity)
        return None if stands_in else super().process_value(ctx, value)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Suggest the values of the entity that begin with what is there."""
        from click.shell_completion import CompletionItem

        words = [word for entity in self.entities for word in suggested(self.entity, entity, incomplete)]
        words += [word for word in self.special if word.startswith(incomplete)]
        return [CompletionItem(word) for word in dict.fromkeys(words)]


class ValuesCommand(click.Command):
    """A command with `ValuesOption` options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words of the command line, each flag written before each of its values."""
        options = {flag: param for param in self.params if isinstance(param, ValuesOption) for flag in param.opts}
        last = next((arg for arg in reversed(args) if arg.startswith("-")), "")
        ctx.meta[__name__] = options.get(last.partition("=")[0])
        words, empty = spread(args, options)
        for flag in empty:
            meaning = options[flag].alone
            if meaning:
                words.append(f"{flag}={meaning}")
            elif not ctx.resilient_parsing:
                raise click.BadOptionUsage(flag, f"Option {flag!r} needs at least one value.", ctx)
        return super().parse_args(ctx, words)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Suggest a further value of the last flag, or the flags."""
        option = open_option(ctx)
        if option and not incomplete.startswith("-"):
            return option.shell_complete(ctx, incomplete)
        return super().shell_complete(ctx, incomplete)


def is_given(ctx: click.Context, name: str) -> bool:
    """Tell whether an option stands on the command line."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def open_option(ctx: click.Context) -> ValuesOption | None:
    """Return the option that takes the next word of the command line, if one does."""
    option: ValuesOption | None = ctx.meta.get(__name__)
    return option


def flag_of(name: str) -> str:
    """Return the flag of an argument.

    Examples
    --------
    >>> flag_of("include_anatomical")
    '--include-anatomical'
    """
    return f"--{name.replace('_', '-')}"


def values_help(entity: Entity, special: Iterable[str] = ()) -> str:
    """Return a description with every value that is allowed.

    Examples
    --------
    >>> values_help(Entity(description="Session.", range=("01", "30"), match="strict", absent="averages"))
    'Session. Values: 01 to 30, or averages (files without it).'
    """
    values = f"{entity.range[0]} to {entity.range[1]}" if entity.range else ", ".join(entity.known)
    values = f"like {entity.form}" if entity.is_open else values
    aliases = [f"{alias} (for {value})" for alias, value in entity.aliases.items()]
    absent = [f"{entity.absent} (files without it)"] if entity.absent else []
    return f"{entity.description} Values: {', or '.join([values, *aliases, *absent, *special])}."


def suggested(name: str, entity: Entity, incomplete: str) -> list[str]:
    """Return the values that complete a word: bare ones, and full tokens where one is begun.

    Examples
    --------
    >>> entity = Entity(description="Session.", values=("01", "02"), match="strict", absent="averages")
    >>> suggested("ses", entity, ""), suggested("ses", entity, "ses-0")
    (['01', '02', 'averages'], ['ses-01', 'ses-02'])
    """
    special = [entity.absent] if entity.absent else []
    tokens = [f"{entity.key_of(name)}-{value}" for value in entity.known] if entity.kind == "key" and incomplete else []
    return [word for word in [*entity.known, *entity.aliases, *special, *tokens] if word.startswith(incomplete)]


def subject_option(name: str, entity: Entity, unless: str | None = None) -> ValuesOption:
    """Return the option that names one subject, or all of them; required unless another one is given."""

    def one(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> str:
        if len(values) > 1:
            message = f"takes one value or {ALL}, not {', '.join(values)}; run the command once for each"
            raise click.BadParameter(message, param=option)
        return values[0]

    return ValuesOption(name, [entity], [ALL], unless=unless, required=True, callback=one)


def jobs_option() -> click.Option:
    """Return the option that says how much is fetched at once."""
    told = "Workers, each of which has up to eight requests under way: parts of large files, or small ones."
    return click.Option(["--n-jobs"], type=int, default=1, metavar="N", show_default=True, help=told)
