"""Settings: environment variables ``GONGCHE_*`` or the file named by ``GONGCHE_ENV_FILE``. No secret has a default."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from runtime.errors import ConfigurationError
from runtime.map_layers import OnlineLayer


class Settings(BaseSettings):
    """Every setting, with its unit in the name or the description. ``gongche settings`` prints them."""

    model_config = SettingsConfigDict(env_prefix="GONGCHE_", extra="ignore", frozen=True)

    data_dir: Path = Field(
        Path(".gongche"), description="embedded database, embedded log, tokens of the demo"
    )
    database_url: str | None = Field(None, description="PostgreSQL DSN; unset = embedded server in data_dir")
    kafka_bootstrap: str | None = Field(
        None, description="Kafka bootstrap servers; unset = embedded log in data_dir"
    )
    log_partitions: int = Field(
        1,
        ge=1,
        le=1024,
        description="partitions when the log is created; an embedded log has one reader: leave 1",
    )

    kafka_partitions: int = Field(
        12,
        ge=1,
        le=1024,
        description="partitions of the positions topic when it is created; bounds the workers",
    )
    kafka_replication: int = Field(
        3, ge=1, le=9, description="copies of a topic when it is created; min.insync.replicas is 2 from 2 on"
    )
    kafka_retention_hours: int = Field(
        168,
        ge=1,
        le=24 * 3650,
        description="how long a new topic keeps records; workers must not be down longer",
    )
    kafka_topic_prefix: str = Field(
        "", max_length=100, pattern=r"^[A-Za-z0-9._-]*$", description="before the names of topics and groups"
    )
    kafka_timeout_s: float = Field(
        30,
        ge=1,
        le=600,
        description="an append that is not confirmed for so long has failed (and is repeated)",
    )
    kafka_session_timeout_s: float = Field(
        10, ge=1, le=300, description="a worker that is silent for so long loses its partitions to others"
    )
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: str | None = Field(None, description="for SASL_PLAINTEXT and SASL_SSL")
    kafka_password: SecretStr | None = Field(None, description="for SASL_PLAINTEXT and SASL_SSL")
    kafka_ca_file: Path | None = Field(
        None, description="PEM; who signed the brokers' certificates; unset = as the system"
    )
    kafka_cert_file: Path | None = Field(None, description="PEM; our certificate, where brokers ask for one")
    kafka_key_file: Path | None = Field(None, description="PEM; the key of kafka_cert_file")

    tcp_host: str = Field("0.0.0.0", description="where terminals connect (JT/T 808)")  # noqa: S104 - terminals come from outside
    tcp_port: int = Field(8808, ge=0, le=65535)
    udp: bool = Field(False, description="terminals may also send by UDP, to tcp_host and tcp_port")
    tls_port: int | None = Field(
        None, ge=0, le=65535, description="terminals may also connect by TLS, on tcp_host; unset = no TLS"
    )
    tls_certificate: Path | None = Field(
        None,
        description="PEM; what terminals are shown, with the certificates above it. A new file is taken without a restart",
    )
    tls_key: Path | None = Field(None, description="PEM; the key of tls_certificate")
    tls_client_ca: Path | None = Field(None, description="PEM; who signed the certificates of terminals")
    tls_clients: Literal["none", "optional", "required"] = Field(
        "none",
        description="whether terminals show a certificate of their own, signed by one of tls_client_ca",
    )
    terminal_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="terminals connect from these networks only, with commas between; none = from everywhere",
    )
    terminal_balancers: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="connections from these networks begin with a PROXY header (version 1 or 2), which is believed; with commas between",
    )
    terminal_dialects: Path | None = Field(
        None,
        description="TOML; what makes of terminals do otherwise than JT/T 808 says (clock, datum, units), the same for all gateways",
    )
    http_host: str = Field("127.0.0.1", description="where the API listens")
    http_port: int = Field(8000, ge=0, le=65535)
    metrics_host: str = Field(
        "127.0.0.1",
        description="where gateway, worker and judge show health and metrics, to everybody who reaches it;"
        " an inner address where Prometheus is on another machine",
    )
    api_metrics_open: bool = Field(
        False,
        description="/metrics of the API to this machine itself without a token; not where a proxy on it passes on the"
        " requests of others",
    )
    gateway_metrics_port: int = Field(
        8801, ge=0, le=65535, description="health and metrics of the gateway, on metrics_host"
    )
    worker_metrics_port: int = Field(
        8802, ge=0, le=65535, description="health and metrics of the worker, on metrics_host"
    )
    judge_metrics_port: int = Field(
        8805, ge=0, le=65535, description="health and metrics of the judge, on metrics_host"
    )

    auto_register: bool = Field(False, description="admit unknown terminals (demos only)")
    idle_timeout_s: float = Field(300, gt=0, description="close a terminal that sends nothing for so long")
    auth_timeout_s: float = Field(
        30, gt=0, description="close a connection that has not authenticated after so long"
    )
    frame_timeout_s: float = Field(
        30, gt=0, description="close a connection whose frame stays incomplete for so long"
    )
    max_connections: int = Field(60_000, ge=1)
    max_connections_per_address: int = Field(
        30_000, ge=1, description="mobile carriers put many behind one address"
    )
    memory_budget_mb: int = Field(
        256, ge=8, description="bytes of unconfirmed positions before reading pauses"
    )
    drain_timeout_s: float = Field(
        20, gt=0, description="at most so long to confirm what was read after SIGTERM"
    )

    report_max_kb: int = Field(
        2048,
        ge=64,
        le=6144,
        description="a picture, a sound, or another message of a terminal in packages that is larger is refused and not held (gateways)",
    )
    media_dir: Path | None = Field(
        None,
        description="folder of the pictures, sounds and films of terminals; workers and APIs need the same; unset = media in data_dir",
    )
    media_quota_mb: int = Field(
        20_480, ge=1, description="pictures, sounds and films of all terminals together; more is refused"
    )
    media_terminal_quota_mb: int = Field(512, ge=1, description="the same of one terminal")
    media_retention_days: int = Field(
        90, ge=1, le=3_650, description="pictures, sounds and films of terminals are kept so long"
    )

    command_reply_s: float = Field(
        10,
        gt=0,
        le=300,
        description="a command that its terminal has not confirmed after so long is sent again, with growing pauses",
    )
    command_resends: int = Field(2, ge=0, le=10, description="how often a command is sent again, at most")
    command_answer_s: float = Field(
        30,
        gt=0,
        le=600,
        description="how long a terminal that has confirmed a question may take to answer it",
    )
    command_parameters: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        max_length=200,
        description="ids of parameters that may be set in terminals, such as 0x0029,0x0055, with commas between; none = none",
    )
    command_control: bool = Field(
        False,
        description="commands that act on a vehicle (restart of the device, locking, cutting fuel and power) may be asked for; each"
        " needs two persons. API and gateways need the same",
    )
    command_cut_words: Annotated[tuple[int, int] | None, NoDecode] = Field(
        None,
        description="JT/T 808 knows no cutting of fuel and power: command words of 0x8105 by which your terminals cut and restore,"
        " such as 100,101; unset = neither can be asked for. API and gateways need the same",
    )

    navigation_url: str | None = Field(
        None, description="routing engine; unset = mileage waits (Amap: unset = its public address)"
    )
    navigation_engine: Literal["valhalla", "osrm", "amap"] = Field(
        "valhalla",
        description="what answers at navigation_url; amap sends the places of orders to a third party",
    )
    navigation_key: SecretStr | None = Field(None, description="Web service key of Amap")
    navigation_map_date: str = Field(
        "",
        max_length=40,
        pattern=r"^[0-9A-Za-z:.+-]*$",
        description="date of the engine's map, as evidence names it; another value has every route asked anew",
    )
    event_source: str = Field(
        "urn:gongche:alerts",
        max_length=200,
        pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[!-;=?-Z_a-z~]+$",
        description="which installation CloudEvents say that they come from, a URI",
    )
    stream_recheck_s: float = Field(
        3,
        gt=0,
        le=60,
        description="how often a stream of alerts looks whether its reader may still read it",
    )
    live_recheck_s: float = Field(
        5,
        gt=0,
        le=30,
        description="how often a stream of the live map looks whether its reader may still see what it shows",
    )
    stream_slow_s: float = Field(
        10,
        gt=0,
        le=600,
        description="a reader of a stream of alerts that takes nothing for so long is cut off",
    )
    webhook_retry_s: Annotated[tuple[int, ...], NoDecode] = Field(
        (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400),
        min_length=1,
        max_length=50,
        description="pauses before a webhook is tried again, seconds with commas between; what fails after the last one is a"
        " dead letter",
    )
    webhook_disable_days: float = Field(
        5, gt=0, le=365, description="a webhook that has failed for so long without a success is disabled"
    )
    webhook_retention_days: int = Field(
        90, ge=1, le=3_650, description="deliveries that ended, dead letters too, are kept so long"
    )
    webhook_timeout_s: float = Field(15, gt=0, le=60, description="how long a receiver may take to answer")
    webhook_allowed_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        max_length=100,
        description="networks of receivers that are not public, such as 10.20.0.0/16, with commas between",
    )
    webhook_ports: Annotated[tuple[int, ...], NoDecode] = Field(
        (), max_length=100, description="ports of receivers besides 443 and 8443, with commas between"
    )
    webhook_loopback: bool = Field(
        False,
        description="webhooks may go to this machine itself, without TLS as well (tests and the demo only)",
    )
    webhook_ca_file: Path | None = Field(
        None, description="PEM; who signed the certificates of webhook receivers; unset = as the system"
    )
    smtp_host: str | None = Field(
        None,
        max_length=253,
        pattern=r"^[A-Za-z0-9.:-]+$",
        description="mail server that takes messages to people; unset = no e-mail channel can be set up",
    )
    smtp_port: int | None = Field(
        None, ge=1, le=65535, description="unset = 587 with starttls, 465 with implicit, 25 with none"
    )
    smtp_tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls",
        description="how the line to the mail server is encrypted; a server without STARTTLS is refused. none: to this machine"
        " itself, or where smtp_plain_allowed says so",
    )
    smtp_plain_allowed: bool = Field(
        False,
        description="mail, and the password of smtp_user, may cross the network unencrypted (smtp_tls none)",
    )
    smtp_user: str | None = Field(None, max_length=200, description="login at the mail server; unset = none")
    smtp_password_file: Path | None = Field(
        None, description="file with the password of smtp_user, closed to other users"
    )
    smtp_from: str | None = Field(
        None,
        max_length=254,
        description="address that messages come from, such as gongche@example.gov.cn; needed with smtp_host",
    )
    smtp_ca_file: Path | None = Field(
        None, description="PEM; who signed the certificate of the mail server; unset = as the system"
    )
    smtp_timeout_s: float = Field(30, gt=0, le=300, description="how long handing over one mail may take")
    message_mail_domains: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        max_length=100,
        description="people's mail goes to addresses of these domains and those below them only, with commas between; none = any",
    )
    message_link: str | None = Field(
        None,
        max_length=300,
        pattern=r"^https?://[!-z|~]*\{id\}[!-z|~]*$",
        description="link to a case in messages, with {id}; unset = /v1/cases/{id} at public_url, and none without that",
    )
    message_bot_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        max_length=20,
        description="hosts of bots besides those of WeCom, DingTalk and Feishu (installations of one's own), with commas between",
    )
    message_retry_s: Annotated[tuple[int, ...], NoDecode] = Field(
        (60, 300, 1_800, 7_200, 21_600, 43_200),
        min_length=1,
        max_length=50,
        description="pauses before a failing channel is tried again, seconds with commas between; the last one stays",
    )
    message_give_up_hours: float = Field(
        96,
        gt=0,
        le=24 * 30,
        description="a message that could not be handed over for so long is a dead letter",
    )
    message_retention_days: int = Field(
        90,
        ge=1,
        le=3_650,
        description="messages that were sent or given up, dead letters too, are kept so long",
    )
    deliver_metrics_port: int = Field(
        8806, ge=0, le=65535, description="health and metrics of the deliverer of webhooks, on metrics_host"
    )
    exchange_ca_file: Path | None = Field(
        None, description="PEM; who signed the certificates of the instances above; unset = as the system"
    )
    exchange_timeout_s: float = Field(
        30, gt=0, le=300, description="how long an instance above may take to answer"
    )
    exchange_pull_s: float = Field(
        30,
        ge=0.1,
        le=3_600,
        description="how often supervision orders, notices and codes are pulled from above",
    )
    exchange_most_pause_s: float = Field(
        300,
        ge=0.1,
        le=3_600,
        description="longest pause before an instance above that does not answer is asked again",
    )
    exchange_metrics_port: int = Field(
        8807, ge=0, le=65535, description="health and metrics of the exchange, on metrics_host"
    )
    exchange_retention_days: int = Field(
        400,
        ge=30,
        le=3_650,
        description="records of the exchange that were taken back are remembered so long; all others as long as the peer has them",
    )
    exchange809_host: str = Field(
        "0.0.0.0",  # noqa: S104 - other platforms come from outside
        description="where other platforms connect (JT/T 809)",
    )
    exchange809_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="the port for it: platforms below log in there, those above connect the subordinate link; unset = nobody connects",
    )
    exchange809_metrics_port: int = Field(
        8810, ge=0, le=65535, description="health and metrics of the JT/T 809 links, on metrics_host"
    )
    exchange809_confirm_s: float = Field(
        5,
        gt=0,
        le=60,
        description="how often a platform above is sent a link test behind positions; what is before one that it answered is confirmed",
    )
    exchange809_answer_s: float = Field(
        60,
        gt=0,
        le=600,
        description="a JT/T 809 link on which a link test is not answered for so long, or nothing can be sent, is ended",
    )
    exchange809_most_pause_s: float = Field(
        300,
        ge=0.1,
        le=3_600,
        description="longest pause before a platform above that does not answer is tried again",
    )
    exchange809_rate: int = Field(
        2_000,
        ge=1,
        le=1_000_000,
        description="messages of a second from one platform below; of more, reading is slowed down",
    )
    retention_days: int = Field(400, ge=1, description="positions are kept so long")
    cold_dir: str | None = Field(
        None,
        description="folder (absolute path, the same for every process) or s3://bucket/prefix?region=... that older days of positions"
        " are moved to; unset = none is moved. Moved days are read whatever is set here",
    )
    hot_days: int = Field(
        62,
        ge=7,
        description="whole days of positions before today that stay in PostgreSQL where cold_dir is set",
    )
    evaluations_retention_days: int = Field(
        400,
        ge=100,
        description="judgements and what they rest on are kept so long, by whole months; alerts and their evidence for ever",
    )
    caller_key_file: Path | None = Field(
        None,
        description="key that encrypts callers of the hotline 12345: 32 random bytes in base64, a file of mode 600; unset ="
        " caller.key in data_dir. Without it no caller is taken or shown",
    )
    seal_key_file: Path | None = Field(
        None,
        description="Ed25519 key that signs the chains of what is never changed: 32 random bytes in base64, a file of mode 600"
        " (gongche seal --new-key); unset = seal.key in data_dir, made when the judge starts first. All judges need the same",
    )
    seal_key_uri: str | None = Field(
        None,
        description="the same key in a device over PKCS#11 (RFC 7512), in place of seal_key_file:"
        " pkcs11:token=LABEL;object=LABEL?module-path=FILE.so&pin-source=file:FILE (docs/tamper-evidence.md)",
    )
    seal_export_dir: Path | None = Field(
        None,
        description="where the judge puts the signed heads of the chains each day; best a place that whoever keeps the database"
        " cannot write. unset = they are not exported",
    )
    audit_retention_days: int = Field(
        400,
        ge=184,
        description="who did and who read what is kept so long, by whole months; at least six months",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s?#]+$",
        description="how browsers reach the API, such as https://gongche.example.gov.cn; needed for OIDC, and where a proxy"
        " changes the Host header",
    )
    trusted_proxies: str = Field(
        "127.0.0.1",
        description="addresses or networks, with commas between, whose X-Forwarded-For and X-Forwarded-Proto are believed",
    )
    session_idle_minutes: int = Field(
        30, ge=5, le=24 * 60, description="a session of a person ends when it was not used for so long"
    )
    session_hours: int = Field(12, ge=1, le=24 * 30, description="a session of a person ends after so long")
    console: bool = Field(
        True,
        description="the API serves the console, the pages for people, at /; off: the API alone",
    )
    basemap_file: Path | None = Field(
        None,
        description="base map of the console, as `gongche basemap prepare` makes it; unset = basemap/map.mbtiles in data_dir",
    )
    basemap_layers: Annotated[tuple[OnlineLayer, ...], NoDecode] = Field(
        (),
        max_length=5,
        description="maps of others that people may choose, a JSON list (docs/base-map.md); their hosts then see what is looked at."
        " none = no page asks another host",
    )
    grafana_url: str | None = Field(
        None,
        max_length=300,
        pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(/[!#-&(-;=?-Z_a-z~]*)?$",
        description="where operators have Grafana; the page of operations then has a link to it. unset = none",
    )
    session_over_http: bool = Field(
        False,
        description="session cookies over plain HTTP, without Secure, between programs of this machine: for trying it out;"
        " refused unless http_host is a loopback address",
    )
    password_memory_mib: int = Field(
        64, ge=8, le=1024, description="memory that checking one password takes (argon2id)"
    )
    password_rounds: int = Field(3, ge=1, le=20, description="passes over it (argon2id)")
    password_checks_at_once: int = Field(
        2, ge=1, le=64, description="passwords checked at the same time by one API; others wait"
    )
    identity_key_file: Path | None = Field(
        None,
        description="256-bit key, base64, that protects the TOTP secrets in the database; unset = identity.key in data_dir,"
        " made when it is first needed. All APIs of one database need the same",
    )
    client_token_minutes: int = Field(
        15, ge=1, le=24 * 60, description="life of an access token of an OAuth2 client"
    )
    oidc_issuer: str | None = Field(None, description="OpenID Connect provider; unset = no login by one")
    oidc_client_id: str | None = Field(None, description="how the provider knows us")
    oidc_secret_file: Path | None = Field(
        None, description="file with the client secret of the provider, closed to other users"
    )
    document_issuer: str = Field(
        "公务用车管理处",
        min_length=1,
        max_length=40,
        description="the office as its documents name it in red at their head: 发文机关",
    )
    document_fonts: Path | None = Field(
        None,
        description="folder with fonts of the office for documents (.otf, .ttf, .ttc), taken before ours by their names: 仿宋,"
        " 小标宋, 黑体, 宋体; unset = ours alone",
    )
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @field_validator("command_parameters")
    @classmethod
    def _parameter_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """As the API names them: 0x and four or eight digits."""
        try:
            return tuple(f"0x{int(each, 16):04X}" for each in value)
        except ValueError as error:
            raise ValueError("ids such as 0x0029, with commas between") from error

    @field_validator("command_cut_words")
    @classmethod
    def _command_words(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and (not all(0 < each <= 255 for each in value) or value[0] == value[1]):
            raise ValueError("two different numbers of 1 to 255")
        return value

    @field_validator(
        "webhook_retry_s", "webhook_allowed_networks", "webhook_ports", "message_mail_domains", "message_bot_hosts",
        "message_retry_s", "terminal_networks", "terminal_balancers", "command_parameters", "command_cut_words", mode="before",
    )  # fmt: skip
    @classmethod
    def _with_commas(cls, value: object) -> object:
        """A list as one text of the environment."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("basemap_layers", mode="before")
    @classmethod
    def _as_json(cls, value: object) -> object:
        return json.loads(value or "[]") if isinstance(value, str) else value


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment (and ``GONGCHE_ENV_FILE``), ``overrides`` first.

    Raises ConfigurationError that names the variable and what is wrong with it.
    """
    try:
        return Settings(_env_file=os.environ.get("GONGCHE_ENV_FILE"), **overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"GONGCHE_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError(
            "invalid settings: " + "; ".join(lines), hint="see `gongche settings`"
        ) from None
