"""The parser of every `ecs-async` command: it rejects unknown words and suggests the closest known one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from typing_extensions import override

from ecs_async_executor.suggestions import did_you_mean


class Parser(argparse.ArgumentParser):
    """An argument parser whose sub-parsers have the same class. Wrong usage ends with exit code 2."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    @override
    def parse_known_args(  # type: ignore[override]  # argparse calls it with these two
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse all arguments, or exit and name the unknown one; never leaves any over."""
        given = list(sys.argv[1:] if args is None else args)
        if commands := self._commands():
            self._check_command(given, commands)
        given, rest = self._split_at_dashes(given)
        found, unknown = super().parse_known_args(given, namespace)
        for name, words in rest.items():
            setattr(found, name, [*getattr(found, name), *words])
        if unknown:
            self._refuse(unknown[0], self._option_string_actions)
        return found, []

    def _commands(self) -> list[str]:
        return [
            name
            for action in self._actions
            if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001  argparse has no public name for it
            for name in action.choices
        ]

    def _split_at_dashes(self, given: list[str]) -> tuple[list[str], dict[str, list[str]]]:
        """Take away what follows `--` if an argument takes any number of words: argparse can't, after an option."""
        takers = [
            action.dest for action in self._actions if action.nargs == "*" and not action.option_strings
        ]
        if not takers or "--" not in given:
            return given, {}
        at = given.index("--")
        return given[:at], {takers[0]: given[at + 1 :]}

    def _check_command(self, given: Sequence[str], commands: Sequence[str]) -> None:
        if not given:
            self.print_help(sys.stderr)
            self.exit(2)
        if not given[0].startswith("-") and given[0] not in commands:
            self._refuse(given[0], commands)
        if given[0].startswith("-") and given[0].partition("=")[0] not in self._option_string_actions:
            self._refuse(given[0], self._option_string_actions)

    def _refuse(self, word: str, known: Iterable[str]) -> NoReturn:
        name = word.partition("=")[0]
        kind = "option" if word.startswith("-") else "command" if self._commands() else "argument"
        advice = did_you_mean(name, known, f"See `{self.prog} --help`.")
        self.error(f"unknown {kind} {name}. {advice}")
