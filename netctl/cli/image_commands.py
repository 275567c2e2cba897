"""Commands about images and templates: `netctl image upload`, `netctl template deploy`. What they do is loaded late."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from netctl.cli.commands_write import MUTATION_OPTIONS, ChangeOptions, with_flags
from netctl.cli.flags import FLAGS
from netctl.cli.kinds import BY_COLLECTION, resource_name
from netctl.cli.options import (
    DEFAULT_TIMEOUT_S,
    DryRunOption,
    ReasonOption,
    RequestIdOption,
    TextFormat,
    TextOption,
    TimeoutOption,
    WaitOption,
    complete_ids,
    complete_name,
    session_of,
)

VMS, IMAGES, TEMPLATES = BY_COLLECTION["vms"], BY_COLLECTION["images"], BY_COLLECTION["vmTemplates"]

ImageArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The image; made when it is missing.", autocompletion=complete_name),
]
FileArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="raw, qcow2 or ISO; the content says which.")
]
Sha256Option = Annotated[
    str,
    typer.Option(
        "--sha256",
        metavar="HEX",
        help="What the file must have; checked before it is sent.",
        show_default=False,
    ),
]
TemplateArgument = Annotated[
    str, typer.Argument(metavar="TEMPLATE", help="Its id.", autocompletion=complete_ids("vmTemplates"))
]
VmArgument = Annotated[
    str,
    typer.Argument(
        metavar="VM", help="The machine, which is off, to make it of.", autocompletion=complete_ids("vms")
    ),
]
NumberArgument = Annotated[
    int, typer.Argument(metavar="NUMBER", help="The version, not the active one.", min=1)
]
ActivateOption = Annotated[bool, typer.Option("--activate", help="It becomes the active version.")]
DescriptionOption = Annotated[
    str, typer.Option("--description", metavar="TEXT", help="What is in it.", show_default=False)
]
VersionOption = Annotated[
    int, typer.Option("--version", metavar="N", help="The active one by default.", min=0, show_default=False)
]
SubnetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--subnet",
        metavar="SUBNET",
        help="Instead of the template's NICs one on each of these; repeat for more.",
        autocompletion=complete_ids("subnets"),
        show_default=False,
    ),
]


def upload(
    context: typer.Context,
    name: ImageArgument,
    file: FileArgument,
    *,
    sha256: Sha256Option = "",
    dry_run: DryRunOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    reason: ReasonOption = "",
    request_id: RequestIdOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Send the bytes of an image to the controller. An image that is missing is made, and goes again when that fails.

    An image that has these bytes already stays as it is.

    Example: netctl image upload debian debian-12.qcow2
    """
    from netctl.cli import image_upload

    told = ChangeOptions(dry_run, wait, timeout, reason, request_id, output)
    asked = image_upload.Upload(name=resource_name(IMAGES, name), file=file, sha256=sha256.lower())
    image_upload.run(session_of(context).client, asked, told.ask, told.end)


def add_version(context: typer.Context, template: str, name: str, **options: Any) -> None:
    """Add a version made of a virtual machine that is off; with the first the template itself is made.

    Its disks are copied into images, as `netctl get images` shows.

    Example: netctl template add-version web web-1 --description 'with TLS' --activate
    """
    from netctl.cli import edit, templates

    given, told = edit.read_flags(VMS, name, options), ChangeOptions.read({**options, "dry_run": False})
    asked = templates.Version(
        template=resource_name(TEMPLATES, template),
        description=options["description"],
        activate=options["activate"],
    )
    templates.add_version(session_of(context).client, asked, given, told.ask, told.end)


def delete_version(
    context: typer.Context,
    template: TemplateArgument,
    number: NumberArgument,
    *,
    reason: ReasonOption = "",
    request_id: RequestIdOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Remove a version that is not the active one, and its images.

    Example: netctl template delete-version web 1
    """
    from netctl.cli import templates

    told = ChangeOptions(False, False, 0, reason, request_id, output)
    full = resource_name(TEMPLATES, template)
    templates.delete_version(session_of(context).client, full, number, told.ask, told.end)


def deploy(context: typer.Context, template: str, name: str, **options: Any) -> None:
    """Make a virtual machine of a template; flags say what is to differ, and what the guest is told.

    Example: netctl template deploy web web-7 --subnet web --memory 4096 --power on --wait
    """
    from netctl.cli import edit, templates

    given, told = edit.read_flags(VMS, name, options), ChangeOptions.read(options)
    asked = templates.Deployment(
        template=resource_name(TEMPLATES, template),
        version=options["version"],
        subnets=options["subnet"] or (),
    )
    templates.deploy(session_of(context).client, asked, given, told.ask, told.end)


def make_image_group() -> typer.Typer:
    """Return `netctl image`."""
    group = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    group.callback()(lambda: None)  # else typer makes the only command the group itself
    group.command("upload", short_help="Send a file.")(upload)
    return group


def make_template_group() -> typer.Typer:
    """Return `netctl template`."""
    group = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    told = tuple(flag for flag in FLAGS["vm"] if flag.path.startswith("customization."))
    without_dry_run = tuple(option for option in MUTATION_OPTIONS if option[0] != "dry_run")
    made = with_flags(
        add_version,
        told,
        ("description", DescriptionOption, ""),
        ("activate", ActivateOption, False),
        before=("template", TemplateArgument),
        name=VmArgument,
        common=without_dry_run,
    )
    group.command("add-version", short_help="Make a version of a virtual machine.")(made)
    group.command("delete-version", short_help="Remove a version and its images.")(delete_version)
    overrides = tuple(flag for flag in FLAGS["vm"] if flag.path != "disks")
    deployed = with_flags(
        deploy,
        overrides,
        ("version", VersionOption, 0),
        ("subnet", SubnetsOption, None),
        before=("template", TemplateArgument),
    )
    group.command("deploy", short_help="Make a virtual machine.")(deployed)
    return group
