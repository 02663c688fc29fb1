"""What the gateway counts. Accounting holds exactly: positions_total = confirmed + pending + given up at a drain."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

CONNECTIONS = Gauge("gongche_gateway_connections", "Open terminal connections.")
AUTHENTICATED = Gauge("gongche_gateway_authenticated_connections", "Connections that have authenticated.")
ACCEPTED = Counter("gongche_gateway_accepted_total", "Connections accepted.")
CLOSED = Counter("gongche_gateway_closed_total", "Connections closed, by reason.", ["reason"])
UDP = Counter(
    "gongche_gateway_udp_datagrams_total",
    "Datagrams: taken, not_frames (no whole frames), refused (unreadable, or not admitted), full (dropped), moved (taken from a new port).",
    ["outcome"],
)
BYTES_IN = Counter("gongche_gateway_received_bytes_total", "Bytes read from terminals.")
FRAMES = Counter(
    "gongche_gateway_frames_total", "Frames read, by message id (hex) or 'other' or 'broken'.", ["message"]
)
REJECTS = Counter("gongche_gateway_rejects_total", "Frames and points refused, by reason.", ["reason"])
REJECTS_UNRECORDED = Counter(
    "gongche_gateway_rejects_unrecorded_total",
    "Frames and points refused that are not kept in the rejects topic (flood).",
)
WATCHED_FRAMES = Counter(
    "gongche_gateway_watched_frames_total",
    "Frames of watched terminals (gongche frames watch): told, lost (too many at once).",
    ["outcome"],
)
REGISTRY_FAULTS = Counter(
    "gongche_gateway_registry_faults_total",
    "Looks at the terminal registry on which the program failed; it went on with what is known.",
)
OTHER_DEVICES = Counter(
    "gongche_gateway_other_devices_total",
    "Registrations refused because another device registered first, or is named by the registry.",
)
HEX_PHONES = Counter(
    "gongche_gateway_hex_phones_total",
    "Messages under a phone number with hexadecimal digits, not positions among them.",
)
ODD_ITEMS = Counter(
    "gongche_gateway_odd_items_total",
    "Known additional items of an unexpected length or sent twice, by id (hex), and 'tail': bytes behind the last; position kept.",
    ["item"],
)
ABSENT_ITEMS = Counter(
    "gongche_gateway_absent_items_total",
    "Additional items with all bits set, which means no data, by id (hex); stored as absent, what was sent is kept.",
    ["item"],
)
POSITIONS = Counter("gongche_gateway_positions_total", "Positions decoded.")
CONFIRMED = Counter("gongche_gateway_positions_confirmed_total", "Positions that the log has confirmed.")
REPLIES = Counter(
    "gongche_gateway_replies_total", "Replies to position reports sent after the log confirmed."
)
REPLY_SECONDS = Histogram(
    "gongche_gateway_reply_seconds",
    "From reading reports to sending their replies, one observation a loop turn.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)
APPEND_SECONDS = Histogram(
    "gongche_gateway_log_append_seconds",
    "One append to the log until it is durable.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
APPEND_ROWS = Histogram(
    "gongche_gateway_log_append_positions",
    "Positions in one append.",
    buckets=(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144),
)
APPEND_FAILURES = Counter(
    "gongche_gateway_log_append_failures_total", "Appends that failed and were tried again."
)
BUDGET_USED = Gauge(
    "gongche_gateway_memory_budget_used_bytes",
    "Bytes held for unconfirmed positions, partial frames and replies that wait for their terminals.",
)
BUDGET_LIMIT = Gauge(
    "gongche_gateway_memory_budget_bytes", "GONGCHE_MEMORY_BUDGET_MB: at so much in use reading pauses."
)
PAUSES = Counter(
    "gongche_gateway_pauses_total", "Times reading paused because the memory budget was used up."
)
COMMANDS = Counter(
    "gongche_gateway_commands_total", "Steps of commands to terminals, by kind and step.", ["kind", "step"]
)
COMMAND_ANSWERS_IGNORED = Counter(
    "gongche_gateway_command_answers_ignored_total",
    "What terminals said of commands and that counted nothing: unasked (nothing like it was sent), again (it is being stored),"
    " late (the command has ended or is with another gateway).",
    ["why"],
)
COMMANDS_UNDER_WAY = Gauge(
    "gongche_gateway_commands_under_way", "Commands that this gateway has sent and waits to hear of."
)
COMMANDS_OLDEST = Gauge(
    "gongche_gateway_commands_oldest_seconds",
    "For how long the oldest command has waited whose terminal is connected, to whichever gateway; 0 = none waits.",
)
COMMAND_FAULTS = Counter(
    "gongche_gateway_command_faults_total",
    "Commands and answers on which the program failed; the others went on.",
)
