"""Bodies and answers of commands to terminals."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints, field_validator

from api.answers import page_of
from api.bodies import Body
from api.http import PLAIN_PATTERN
from telemetry.commands.kinds import MOST_TEXT, unprintable
from telemetry.commands.steps import CommandFailure, CommandState, CommandStep

Why = Annotated[
    str, StringConstraints(min_length=5, max_length=500, pattern=PLAIN_PATTERN, strip_whitespace=True)
]
Key = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+$")]
ParameterId = Annotated[str, StringConstraints(pattern=r"^0x[0-9A-F]{4,8}$")]
KindName = Literal[
    "text", "location", "tracking", "query_parameters", "query_attributes", "set_parameters", "photo", "query_driver", "recorder", "areas", "reset",
    "lock", "cut",
]  # fmt: skip


class _Command(Body):
    """What every command has. `key`: your own name for it; sent again, the same key is the same command and nothing is sent twice.
    `reason`: why; it is kept with your name. `terminal`: the phone number, where several terminals sit in the vehicle. `expires_in_s`: so
    long it waits for the terminal; at most a week, a day for questions of place, an hour for what acts on the vehicle."""

    key: Key
    reason: Why
    terminal: Annotated[str, StringConstraints(pattern="^[0-9A-F]{1,20}$")] | None = None
    expires_in_s: Annotated[int, Field(ge=10, le=7 * 86_400)] | None = None

    def fields(self) -> dict[str, Any]:
        """What the kind itself has."""
        return self.model_dump(mode="json", exclude={"key", "reason", "terminal", "expires_in_s", "kind"})


class TextCommand(_Command):
    """A text to the driver: characters of GBK, 1,024 bytes at most (512 Chinese characters). `urgent`: as an emergency; `display`: on the
    screen; `speak`: read aloud."""

    kind: Literal["text"]
    text: Annotated[str, StringConstraints(min_length=1, max_length=MOST_TEXT)]
    urgent: bool = False
    display: bool = True
    speak: bool = True

    @field_validator("text")
    @classmethod
    def _can_be_shown(cls, value: str) -> str:
        if wrong := unprintable(value):
            named = " ".join(wrong[:10])
            raise ValueError(
                f"终端无法显示这些字符（不在 GBK 中），请改写：{named} · a terminal cannot show these characters (GBK has none): {named}"
            )
        if not value.strip():
            raise ValueError("文本为空 · the text is empty")
        if (size := len(value.encode("gbk"))) > MOST_TEXT:
            raise ValueError(
                f"文本过长：{size} 字节，最多 {MOST_TEXT} 字节（{MOST_TEXT // 2} 个汉字） · too long: {size} bytes, at most {MOST_TEXT}"
            )
        return value


class LocationCommand(_Command):
    """Where are you? The position that comes is stored like any other and stands in the track."""

    kind: Literal["location"]


class TrackingCommand(_Command):
    """Report every `interval_s` seconds for `for_s` seconds; 0 ends it."""

    kind: Literal["tracking"]
    interval_s: Annotated[int, Field(ge=0, le=3_600)]
    for_s: Annotated[int, Field(ge=0, le=86_400)] = 600


class QueryParametersCommand(_Command):
    """What are your parameters? `ids`: these; none = all."""

    kind: Literal["query_parameters"]
    ids: Annotated[list[ParameterId], Field(max_length=100)] = Field(default_factory=list)


class QueryAttributesCommand(_Command):
    """What device are you: maker, model, versions, SIM card."""

    kind: Literal["query_attributes"]


class ParameterValue(Body):
    """A parameter and its value, a number or a text as JT/T 808 has it."""

    id: ParameterId
    value: (
        Annotated[int, Field(ge=0, le=2**32 - 1)]
        | Annotated[str, StringConstraints(max_length=200, pattern=PLAIN_PATTERN)]
    )


class SetParametersCommand(_Command):
    """Set parameters; only ids that the setting GONGCHE_COMMAND_PARAMETERS lists."""

    kind: Literal["set_parameters"]
    parameters: Annotated[list[ParameterValue], Field(min_length=1, max_length=50)]

    @field_validator("parameters")
    @classmethod
    def _can_be_sent(cls, value: list[ParameterValue]) -> list[ParameterValue]:
        for each in value:
            if isinstance(each.value, str) and (wrong := unprintable(each.value)):
                raise ValueError(
                    f"{each.id}：不在 GBK 中的字符 · characters that GBK does not have: {wrong[:10]}"
                )
        if len({int(each.id, 16) for each in value}) < len(value):
            raise ValueError("参数重复 · a parameter is there twice")
        return value


class PhotoCommand(_Command):
    """Take a picture with the camera of `channel` and send it at once. It stands in `GET /v1/media`."""

    kind: Literal["photo"]
    channel: Annotated[int, Field(ge=1, le=127)] = 1


class QueryDriverCommand(_Command):
    """Whose card is in the terminal? (Not JT/T 808-2011.) It stands in `GET /v1/driver-cards`."""

    kind: Literal["query_driver"]


class RecorderCommand(_Command):
    """Data of the driving recorder by their number in GB/T 19056, those without a time: 0x00 version, 0x01 driver, 0x02 clock, 0x03 mileage,
    0x04 pulses, 0x05 vehicle, 0x06 signals, 0x07 number of the recorder. They stand in `GET /v1/terminal-reports?kind=recorder`, as they are."""

    kind: Literal["recorder"]
    data: Literal["0x00", "0x01", "0x02", "0x03", "0x04", "0x05", "0x06", "0x07"]


class ResetCommand(_Command):
    """Restart the device. Needs a second person."""

    kind: Literal["reset"]


class LockCommand(_Command):
    """Lock the doors, or unlock them. Needs a second person, and is never sent twice."""

    kind: Literal["lock"]
    locked: bool


class CutCommand(_Command):
    """Cut fuel and power, or restore them. Needs a second person, and is never sent twice."""

    kind: Literal["cut"]
    cut: bool


AnyCommand: TypeAlias = (
    TextCommand | LocationCommand | TrackingCommand | QueryParametersCommand | QueryAttributesCommand | SetParametersCommand
    | PhotoCommand | QueryDriverCommand | RecorderCommand | ResetCommand | LockCommand | CutCommand
)  # fmt: skip


class CommandBody(RootModel[Annotated[AnyCommand, Field(discriminator="kind")]]):
    """A command to the terminal of a vehicle."""

    model_config = ConfigDict(strict=True, frozen=True)


class CommandReason(Body):
    """Why. It is kept with your name."""

    reason: Why


class CommandEvent(BaseModel):
    """A step. `by`: who did it, null = the program. `detail`: what the terminal answered; where it is stands in the track only."""

    number: int
    step: CommandStep
    at: datetime
    by: str | None
    reason: str | None
    detail: dict[str, Any] | None


class CommandShown(BaseModel):
    """A command. `proposed`: waits for a second person; `queued`: for its terminal; `sent`: on its way; `delivered`: the terminal has
    confirmed it; `answered`; `failed` (`failure` says why: `outcome_unknown` means that it may have been carried out and is not sent again);
    `expired`; `cancelled`. `terminal`: its phone number; null = it is not yours to know any more. `attempts`: how often it was begun to send. `approvable`: a second person may agree now, and you are another one
    than who asked."""

    no: int
    organisation: str
    vehicle: str
    terminal: str | None
    kind: KindName
    fields: dict[str, Any]
    reason: str
    asked_by: str
    key: str
    asked_at: datetime
    expires_at: datetime
    state: CommandState
    failure: CommandFailure | None
    attempts: int
    ended_at: datetime | None
    cancellable: bool
    approvable: bool


class CommandWithThread(CommandShown):
    """A command and all that has happened to it, the first first."""

    thread: list[CommandEvent]


CommandPage = page_of(CommandShown)
BODIES = (CommandBody, CommandReason)
#: Kind -> the model of its body.
MODELS: dict[str, type[AnyCommand]] = {
    "text": TextCommand, "location": LocationCommand, "tracking": TrackingCommand, "query_parameters": QueryParametersCommand,
    "query_attributes": QueryAttributesCommand, "set_parameters": SetParametersCommand, "photo": PhotoCommand,
    "query_driver": QueryDriverCommand, "recorder": RecorderCommand, "reset": ResetCommand, "lock": LockCommand,
    "cut": CutCommand,
}  # fmt: skip
