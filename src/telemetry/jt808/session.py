"""One terminal's connection as a state machine, without IO: everything but the bulk of positions.

The IO shell feeds it whole, verified messages and does what the returned actions say. Positions that come
in the plain way on an authenticated connection are decoded as columns elsewhere and need not pass through
here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from telemetry.jt808.ids import POSITION_IDS, MessageId
from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar import messages, report
from telemetry.jt808.scalar.header import Header, Version
from telemetry.jt808.scalar.messages import Authentication, GeneralReply, Registration, RetransmitRequest
from telemetry.jt808.scalar.reassembly import PART_BYTES, Pending, Reassembler
from telemetry.jt808.scalar.replies import Result, general_reply, registration_reply, retransmit_request
from telemetry.positions import Source

#: Messages in which a terminal answers what it was asked, and that are no positions.
_ANSWERS = frozenset(
    {MessageId.PARAMETERS_REPLY, MessageId.ATTRIBUTES_REPLY, MessageId.VEHICLE_CONTROL_REPLY}
)
#: Authentications that one connection may ask for without success; one more closes it, so that codes cannot be tried out.
#: They count when they are asked for: the answer may take its time.
MAX_FAILED_AUTHENTICATIONS = 5
#: Registrations on one connection until it is closed, unless one led to an authentication: each costs a
# database write.
MAX_REGISTRATIONS = 10
#: Packages of a registration, which has some 130 bytes at most.
MAX_REGISTER_PACKAGES = 8
#: Bytes of one of them. Nobody has authenticated yet: what is held of a registration is little.
MAX_REGISTER_PACKAGE = 256
#: Messages refused before authentication until the connection is closed.
MAX_REFUSED = 100


@dataclass(frozen=True, slots=True)
class Send:
    """Write ``frame``."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Register:
    """Ask the directory, then write ``session.registered(header, result, code)``."""

    registration: Registration
    header: Header


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Ask the directory, then write ``session.authenticated_as(header, terminal_no)``, if ``session.awaits`` it still."""

    authentication: Authentication
    header: Header


@dataclass(frozen=True, slots=True)
class TellTime:
    """Write ``replies.time_reply(header, utc_us, session.next_serial())``: a session knows no clock."""

    header: Header


@dataclass(frozen=True, slots=True)
class Positions:
    """Store ``bodies`` (0x0200 bodies of at least 28 bytes) with ``source``
    (``telemetry.positions.Source``), and when they are durable answer every header of ``answer`` with
    result 0. ``header`` is the one that completed the message.
    """

    header: Header
    bodies: list[bytes]
    source: int
    answer: tuple[Header, ...]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The terminal confirms, or refuses, a message of the platform (0x0001)."""

    reply: GeneralReply


@dataclass(frozen=True, slots=True)
class Answered:
    """The terminal answers what it was asked: ``body`` is the message with the id of ``header``. Answer every header of ``answer``
    with result 0 when it is durable; () = a position, which has its own reply."""

    header: Header
    body: bytes
    answer: tuple[Header, ...]


@dataclass(frozen=True, slots=True)
class PackagesWanted:
    """The terminal asks for packages of a longer message again (0x0005). Write them; where there are none, refuse ``header``
    (``session.no_such_packages``)."""

    header: Header
    body: bytes
    request: RetransmitRequest


@dataclass(frozen=True, slots=True)
class Rejected:
    """Count and keep a rejection."""

    rejection: Rejection


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection after what was to be written before; ``reason`` is for the log."""

    reason: str


#: What a terminal says about what the platform sent.
OfCommand = Confirmed | Answered | PackagesWanted
Action = Send | Register | Authenticate | TellTime | Positions | OfCommand | Rejected | Close


class Session:
    """State of one connection.

    ``phone``: digits as sent in the newest accepted header. ``version``: edition the terminal speaks, as
    far as it is known. ``terminal_no``: registry number, 0 until authenticated. ``next_serial`` gives the serial of the
    next message that the platform sends on this connection: 0, 1, ... 65535, 0 (4.4.3). The session does not count
    itself, because replies to positions are made elsewhere and are counted with its own. So a frame that is made
    here is to be sent at once, before any other.
    """

    def __init__(self, now: float, next_serial: Callable[[], int]) -> None:
        self.started = now
        self.phone: str | None = None
        self.version = Version.V2013
        self.terminal_no = 0
        self.authenticated = False
        self.shown_imei: str | None = None  # at its authentication; None: in a form that has none
        self.reassembler = Reassembler()
        self.next_serial = next_serial
        self._attempts = 0  # authentications asked for since the last that succeeded
        self._undecided: Authenticate | None = None  # the newest authentication, until it is decided
        self._refused = 0
        self._registrations = 0

    def reply(self, header: Header, result: int) -> bytes:
        """Frame of a 0x8001 to ``header`` with the next serial."""
        return general_reply(header, result, self.next_serial())

    # --- what the directory said ------------------------------------------------------------------

    def registered(self, header: Header, result: int, code: str | None) -> bytes:
        """Frame of the 0x8100 that answers ``header``; ``code`` goes out only with result 0."""
        return registration_reply(header, result, code, self.next_serial())

    def awaits(self, action: Authenticate) -> bool:
        """Whether ``action`` is still to be decided: not when a newer authentication or a logout came since."""
        return self._undecided is action

    def authenticated_as(self, header: Header, terminal_no: int | None) -> bytes:
        """The directory knows the code as that of ``terminal_no``, or (None) does not. Frame of the
        0x8001.
        """
        self._undecided = None
        if terminal_no is None:
            self._forget()
            return self.reply(header, Result.FAILED)
        self.authenticated = True
        self.terminal_no = terminal_no
        self.phone = header.phone
        self._attempts = self._refused = self._registrations = 0
        return self.reply(header, Result.OK)

    def speaks(self, header: Header, registered: int | None) -> None:
        """The terminal is known: ``registered`` is the edition of its registration, seen here or on another connection, None = not
        known. Bodies follow the header, which tells 2019 from the others; 2011 from 2013 nothing but a registration tells."""
        if header.version is Version.V2019:
            self.version = Version.V2019
        elif registered is not None:
            self.version = min(Version(registered), Version.V2013)

    def _forget(self) -> None:
        self.authenticated = False
        self.terminal_no = 0

    # --- messages ---------------------------------------------------------------------------------

    def on_message(self, header: Header, body: bytes, now: float) -> list[Action]:
        """What to do about one message. ``now``: seconds, monotonic. Any body gives actions, never an
        exception.
        """
        unknown = not self.authenticated
        actions = self._on_message(header, body, now)
        if unknown and any(isinstance(action, Rejected) for action in actions):
            self._refused += 1
            if self._refused >= MAX_REFUSED:
                actions.append(Close(f"{self._refused} messages refused before authentication"))
        return actions

    def _on_message(self, header: Header, body: bytes, now: float) -> list[Action]:
        refusal = self._admit(header, body)
        if refusal is not None:
            return refusal
        self._learn(header)
        if header.encryption:
            # 3 = unsupported, not 2 = bad: the message may be perfectly well formed. A terminal may
            # encrypt only after it got the platform's key (2019 7.11, 0x8A00), which this platform never
            # sends.
            detail = f"body of {header.id:#06x} is encrypted ({header.encryption})"
            return self._refuse(header, body, Result.UNSUPPORTED, Reason.ENCRYPTED, detail)
        if header.fragmented:
            return self._fragment(header, body, now)
        return self._whole(header, body, (header,))

    def _admit(self, header: Header, body: bytes) -> list[Action] | None:
        if self.authenticated:
            if self.phone is None or header.terminal_phone == (self.phone.lstrip("0") or "0"):
                return None
            detail = f"phone {header.phone} on the connection of {self.phone}"
            return self._refuse(header, body, Result.FAILED, Reason.PHONE_MISMATCH, detail)
        # 2019 7.2.2: before authentication a terminal sends nothing else. Packages of a longer message would have to be
        # kept for somebody unknown: only of a registration, and few.
        if header.id == MessageId.REGISTER and header.total <= MAX_REGISTER_PACKAGES:
            return None
        if header.id == MessageId.AUTHENTICATE and header.total <= 1:
            return None
        detail = f"{header.id:#06x} before authentication"
        return self._refuse(header, body, Result.FAILED, Reason.NOT_AUTHENTICATED, detail)

    def _learn(self, header: Header) -> None:
        self.phone = header.phone
        if header.version is Version.V2019 or self.version is Version.V2019:
            self.version = header.version

    def _refuse(
        self, header: Header, body: bytes, result: Result, reason: Reason, detail: str
    ) -> list[Action]:
        # The body of an authentication is the terminal's code: it is kept nowhere.
        kept = b"" if header.id == MessageId.AUTHENTICATE else body
        rejected = Rejected(Rejection(reason, detail, kept))
        if header.id == MessageId.TERMINAL_GENERAL_REPLY:  # a reply is never replied to
            return [rejected]
        return [rejected, Send(self.reply(header, result))]

    def _whole(self, header: Header, body: bytes, answer: tuple[Header, ...]) -> list[Action]:
        match header.id:
            case MessageId.LOCATION | MessageId.LOCATION_BATCH | MessageId.LOCATION_QUERY_REPLY:
                return self._positions(header, body, answer)
            case MessageId.PARAMETERS_REPLY | MessageId.ATTRIBUTES_REPLY | MessageId.VEHICLE_CONTROL_REPLY:
                return [Answered(header, body, answer)]
            case MessageId.HEARTBEAT:
                return [Send(self.reply(header, Result.OK))]
            case MessageId.TERMINAL_GENERAL_REPLY:
                reply = messages.decode_general_reply(body)
                return [Rejected(reply) if isinstance(reply, Rejection) else Confirmed(reply)]
            case MessageId.REGISTER:
                self._registrations += 1
                if self._registrations > MAX_REGISTRATIONS:
                    detail = f"{MAX_REGISTRATIONS} registrations on one connection"
                    return [*self._refuse(header, body, Result.FAILED, Reason.RATE, detail), Close(detail)]
                registration = messages.decode_registration(body, self.version)
                if isinstance(registration, Rejection):
                    return self._bad(header, registration)
                if self.version is not Version.V2019:
                    # 2019 texts under a 12-byte header: the other bodies follow the header, so 2013.
                    self.version = min(registration.version, Version.V2013)
                return [Register(registration, header)]
            case MessageId.AUTHENTICATE:
                self._attempts += 1
                if self._attempts > MAX_FAILED_AUTHENTICATIONS:
                    detail = f"{MAX_FAILED_AUTHENTICATIONS} authentications without success"
                    return [*self._refuse(header, body, Result.FAILED, Reason.RATE, detail), Close(detail)]
                authentication = messages.decode_authentication(body, self.version)
                if isinstance(authentication, Rejection):
                    return self._bad(header, authentication)
                superseded = self._supersede()
                self._undecided = Authenticate(authentication, header)
                return [*superseded, self._undecided]
            case MessageId.LOGOUT:
                superseded = self._supersede()
                self._forget()
                dropped: list[Action] = [Rejected(rejection) for rejection in self.reassembler.clear()]
                return [*superseded, *dropped, Send(self.reply(header, Result.OK))]
            case MessageId.TIME_QUERY:
                return [TellTime(header)]
            case MessageId.TERMINAL_RETRANSMIT_REQUEST:
                request = messages.decode_retransmit_request(body, self.version)
                if isinstance(request, Rejection):
                    return self._bad(header, request)
                return [PackagesWanted(header, body, request)]
            case _:
                detail = f"message {header.id:#06x}"
                return self._refuse(header, body, Result.UNSUPPORTED, Reason.UNSUPPORTED, detail)

    def nobody_waits(self, action: OfCommand) -> list[Action]:
        """Nothing was sent that ``action`` could be about."""
        match action:
            case Answered() if action.answer:
                return self.unasked(action)
            case PackagesWanted():
                return self.no_such_packages(action)
            case _:
                return []

    def no_such_packages(self, wanted: PackagesWanted) -> list[Action]:
        """What the terminal asks for is not there: it was never in packages, or is over."""
        detail = f"asks for packages of {wanted.request.first_serial}, which had none"
        return self._refuse(wanted.header, wanted.body, Result.FAILED, Reason.BAD_FRAGMENT, detail)

    def unasked(self, answered: Answered) -> list[Action]:
        """Nobody asked for this answer: it is kept with what was refused, and replied to so that it does not come again."""
        detail = f"answer {answered.header.id:#06x} to nothing that waits for it"
        rejected: list[Action] = [Rejected(Rejection(Reason.UNASKED, detail, answered.body))]
        return [*rejected, *(Send(self.reply(one, Result.OK)) for one in answered.answer)]

    def _supersede(self) -> list[Action]:
        """An authentication that still waits is never decided: only the newest counts. No reply to it: the terminal
        may have sent the same message again.
        """
        if self._undecided is None:
            return []
        self._undecided = None
        return [Rejected(Rejection(Reason.RATE, "superseded before it was decided", b""))]

    def _bad(self, header: Header, rejection: Rejection) -> list[Action]:
        return [Rejected(rejection), Send(self.reply(header, Result.BAD_MESSAGE))]

    def _positions(self, header: Header, body: bytes, answer: tuple[Header, ...]) -> list[Action]:
        """The good points of a message are kept even if others in it are bad; the bad ones are counted.

        A batch with at least one good point is answered with success: the terminal would only send the
        same bytes again. Without any, every package is answered with "bad message".
        """
        actions: list[Action] = []
        bodies: list[bytes] = []
        source = Source.LIVE
        if header.id == MessageId.LOCATION_BATCH:
            batch = report.decode_batch(body)
            if isinstance(batch, Rejection):
                actions.append(Rejected(batch))
            else:
                bodies = list(batch.bodies)
                source = Source.BLIND_ZONE if batch.kind == report.BATCH_BLIND_ZONE else Source.BATCH
                if not batch.whole:
                    detail = f"batch: {len(bodies)} positions are whole, then it breaks off"
                    actions.append(Rejected(Rejection(Reason.BAD_BODY, detail, body)))
        elif header.id == MessageId.LOCATION_QUERY_REPLY:
            source = Source.QUERIED
            reply = report.decode_query_reply(body, self.version)
            if isinstance(reply, Rejection):
                actions.append(Rejected(reply))
            else:
                bodies = [reply[1]]
        else:
            bodies = [body]
        good = [one for one in bodies if len(one) >= report.BASIC_LENGTH]
        if short := len(bodies) - len(good):
            detail = f"positions of less than {report.BASIC_LENGTH} bytes: {short}"
            actions.append(Rejected(Rejection(Reason.BODY_TOO_SHORT, detail, body, short)))
        if good:
            actions.append(Positions(header, good, source, answer))
            if header.id == MessageId.LOCATION_QUERY_REPLY:
                actions.append(Answered(header, body, ()))
        else:
            actions.extend(Send(self.reply(one_header, Result.BAD_MESSAGE)) for one_header in answer)
        return actions

    def _fragment(self, header: Header, body: bytes, now: float) -> list[Action]:
        if header.total == 1:  # a single package is a message like any other
            return self._whole(header, body, (header,))
        small = (
            header.id == MessageId.REGISTER
            and header.total <= MAX_REGISTER_PACKAGES
            and len(body) <= MAX_REGISTER_PACKAGE
            and self.reassembler.bytes_held <= MAX_REGISTER_PACKAGES * (MAX_REGISTER_PACKAGE + PART_BYTES)
        )
        answers = self.authenticated and header.id in _ANSWERS
        if header.id not in POSITION_IDS and not answers and not small:  # nothing else is worth memory
            detail = f"package {header.index} of {header.total} of {header.id:#06x}"
            return self._refuse(header, body, Result.UNSUPPORTED, Reason.UNSUPPORTED, detail)
        taken = self.reassembler.add(header, body, now)
        if isinstance(taken, Rejection):
            result = Result.FAILED if taken.reason is Reason.REASSEMBLY_LIMIT else Result.BAD_MESSAGE
            return [Rejected(taken), Send(self.reply(header, result))]
        if isinstance(taken, Pending):
            return [Send(self.reply(header, Result.OK))] if taken.answer else []
        if (
            taken.last.id == MessageId.REGISTER
        ):  # 0x8100 answers the last package, the others are answered here
            others = [Send(self.reply(one, Result.OK)) for one in taken.unanswered if one != taken.last]
            return [*others, *self._whole(taken.last, taken.body, (taken.last,))]
        return self._whole(taken.last, taken.body, taken.unanswered)

    # --- time and end -----------------------------------------------------------------------------

    @property
    def waiting(self) -> bool:
        """Whether packages of incomplete messages are held, so that ``on_time`` has something to do."""
        return self.reassembler.parts_held > 0

    def on_time(self, now: float) -> list[Action]:
        """To be called every few seconds: asks for missing packages, gives up old messages."""
        actions: list[Action] = [Rejected(rejection) for rejection in self.reassembler.expire(now)]
        for missing in self.reassembler.missing(now):
            serial = self.next_serial()
            frame = retransmit_request(missing.header, missing.first_serial, missing.indexes, serial)
            actions.append(Send(frame))
        return actions

    def end(self) -> list[Rejection]:
        """The connection is closed: rejections for the packages still held."""
        return self.reassembler.clear()
