"""A command whose help has a section for each kind of option."""

from collections.abc import Mapping
from typing import Any

import click


class Sections(click.Command):
    """Its help begins with the presets, if there are any; `groups` names the options of each section."""

    groups: Mapping[str, tuple[str, ...]] = {}
    presets: tuple[str, Mapping[str, Any]] = ("", {})
    """A heading, and named settings with a line `about` each."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        heading, presets = self.presets
        if presets:
            with formatter.section(heading):
                formatter.write_dl([(name, preset.about) for name, preset in presets.items()])
        records = {parameter.name: parameter.get_help_record(ctx) for parameter in self.params}
        for group, names in self.groups.items():
            with formatter.section(group):
                formatter.write_dl([record for name in names if (record := records[name]) is not None])
