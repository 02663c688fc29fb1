"""What the Kafka writer and reader share: how to connect, which topics there must be, what an error means."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from aiokafka import errors as kafka
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from runtime.errors import ConfigurationError, GongcheError, UnavailableError
from runtime.settings import Settings
from telemetry.log.base import POSITIONS, REJECTS, REPORTS
from telemetry.log.codec import MAX_RECORD_BYTES

_logger = logging.getLogger(__name__)

_TOPICS: Final = (POSITIONS, REJECTS, REPORTS)

#: What a broker must take in one batch: a record, its headers and the batch's own header.
MAX_BATCH_BYTES: Final = MAX_RECORD_BYTES + (64 << 10)
REQUEST_TIMEOUT_S: Final = 10.0
#: Closing waits so long for what is under way.
CLOSE_S: Final = 5.0
_PROBE_S: Final = 2.0
_CREATE_S: Final = 15.0

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:,\[\]]+):(?P<port>\d{1,5})")
#: Kafka answers "not authorized" for a topic or group that it does not want to show to us.
_FORBIDDEN = (
    kafka.TopicAuthorizationFailedError,
    kafka.GroupAuthorizationFailedError,
    kafka.ClusterAuthorizationFailedError,
)


def addresses(settings: Settings) -> list[tuple[str, int]]:
    """The bootstrap addresses. Raises ConfigurationError when they are no ``host:port,...``."""
    found = []
    for part in (settings.kafka_bootstrap or "").split(","):
        match = _ADDRESS.fullmatch(part.strip())
        if match is None or not 0 < int(match["port"]) < 65536:
            raise ConfigurationError(
                f"GONGCHE_KAFKA_BOOTSTRAP: {part.strip()[:100]!r} is not host:port",
                hint="write it like kafka1:9092,kafka2:9092",
            )
        found.append((match["host"].strip("[]"), int(match["port"])))
    return found


def connection(settings: Settings) -> dict[str, Any]:
    """The arguments that every aiokafka client takes. Raises ConfigurationError."""
    addresses(settings)
    arguments: dict[str, Any] = {
        "bootstrap_servers": [part.strip() for part in (settings.kafka_bootstrap or "").split(",")],
        "security_protocol": settings.kafka_security,
        "retry_backoff_ms": 200,
        "metadata_max_age_ms": 60_000,
    }
    if settings.kafka_security.startswith("SASL_"):
        if not settings.kafka_username or settings.kafka_password is None:
            raise ConfigurationError(
                f"GONGCHE_KAFKA_SECURITY={settings.kafka_security} needs a user and a password",
                hint="set GONGCHE_KAFKA_USERNAME and GONGCHE_KAFKA_PASSWORD",
            )
        arguments["sasl_mechanism"] = settings.kafka_sasl_mechanism
        arguments["sasl_plain_username"] = settings.kafka_username
        arguments["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    if settings.kafka_security.endswith("SSL"):
        try:
            context = ssl.create_default_context(cafile=settings.kafka_ca_file)
            if settings.kafka_cert_file is not None:
                context.load_cert_chain(settings.kafka_cert_file, settings.kafka_key_file)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"the certificates for Kafka cannot be used: {error}",
                hint="see GONGCHE_KAFKA_CA_FILE, GONGCHE_KAFKA_CERT_FILE and GONGCHE_KAFKA_KEY_FILE",
            ) from error
        arguments["ssl_context"] = context
    return arguments


def group_name(settings: Settings, topic: str) -> str:
    """The consumer group that reads ``topic``; one group per topic, so that they do not disturb each other."""
    return f"{settings.kafka_topic_prefix}{topic}.workers"


async def explain(settings: Settings, error: BaseException) -> GongcheError:
    """``error`` of aiokafka (or a timeout) as an error that says what to do."""
    bootstrap = settings.kafka_bootstrap
    if isinstance(error, GongcheError):
        return error
    if isinstance(error, _FORBIDDEN):
        return ConfigurationError(
            f"Kafka at {bootstrap} does not permit this: {_words(error)}",
            hint=_permissions(settings),
        )
    if isinstance(error, (kafka.MessageSizeTooLargeError, kafka.RecordListTooLargeError)):
        # A fault of the topic, not of the record: the record was measured before.
        return UnavailableError(
            f"Kafka at {bootstrap} refuses a record for its size: {_words(error)}",
            hint=f"set max.message.bytes={MAX_BATCH_BYTES} on the topics {_topics(settings)}",
        )
    if isinstance(error, (kafka.KafkaConnectionError, kafka.KafkaTimeoutError, TimeoutError)):
        reasons = [await _probe(host, port) for host, port in addresses(settings)]
        reachable = all(reason is None for reason in reasons)
        if not reachable:
            said = ", ".join(reason for reason in reasons if reason)
            return UnavailableError(
                f"Kafka does not answer: {said}", hint="is it running? see GONGCHE_KAFKA_BOOTSTRAP"
            )
        if isinstance(error, kafka.KafkaConnectionError):
            return UnavailableError(
                f"{bootstrap} takes connections, but it is no Kafka that accepts us",
                hint="see GONGCHE_KAFKA_SECURITY, the user and the password; is that port Kafka's?",
            )
        return UnavailableError(
            f"Kafka at {bootstrap} did not confirm in time",
            hint="are enough replicas in sync (min.insync.replicas), and advertised.listeners reachable from here?",
        )
    return UnavailableError(f"Kafka at {bootstrap}: {_words(error)}", hint="see the logs of the brokers")


async def unavailable(settings: Settings, error: Exception) -> UnavailableError:
    """``error`` while we run: whatever it is, an operator can set it right, and then a retry helps."""
    said = await explain(settings, error)
    return UnavailableError(said.message, hint=said.hint)


def _words(error: BaseException) -> str:
    text = str(error)
    name = type(error).__name__
    return text[:300] if name in text else f"{name} {text[:300]}".strip()


def _topics(settings: Settings) -> str:
    return ", ".join(settings.kafka_topic_prefix + topic for topic in _TOPICS)


def _permissions(settings: Settings) -> str:
    return (
        f"grant Create, Describe, Write and Read on the topics {_topics(settings)},"
        f" and Read on the groups {', '.join(group_name(settings, topic) for topic in (POSITIONS, REPORTS))}"
    )


async def _probe(host: str, port: int) -> str | None:
    """Why nothing can be reached at the address, or None."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _PROBE_S)
    except TimeoutError:
        return f"{host}:{port} is silent"
    except OSError as error:
        return f"{host}:{port}: {error.strerror or error}"
    writer.close()
    with suppress(OSError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), _PROBE_S)
    return None


def _wanted(settings: Settings) -> list[NewTopic]:
    config = {
        "cleanup.policy": "delete",
        "retention.ms": str(settings.kafka_retention_hours * 3_600_000),
        "retention.bytes": "-1",
        "max.message.bytes": str(MAX_BATCH_BYTES),
        # Payloads are compressed already. The broker also unpacks what a foreign producer compressed, so a reader
        # never needs a codec that it does not have.
        "compression.type": "uncompressed",
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(min(2, settings.kafka_replication)),
        "unclean.leader.election.enable": "false",
    }
    return [
        NewTopic(
            settings.kafka_topic_prefix + topic, partitions, settings.kafka_replication, topic_configs=config
        )
        for topic, partitions in ((POSITIONS, settings.kafka_partitions), (REJECTS, 1), (REPORTS, 1))
    ]


async def ensure_topics(settings: Settings) -> dict[str, int]:
    """Create the topics that are missing; how many partitions each has (by its name without prefix).

    A topic that exists is left as it is; settings of it that would lose or refuse records are logged as warnings.
    Raises ConfigurationError or UnavailableError.
    """
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000))
    try:
        async with asyncio.timeout(_CREATE_S + REQUEST_TIMEOUT_S):
            await admin.start()
            wanted = _wanted(settings)
            found = await _counts(admin)
            missing = [topic for topic in wanted if topic.name not in found]
            if missing:
                await _create(settings, admin, missing)
            while any(topic.name not in found for topic in wanted):
                await asyncio.sleep(0.05)
                found = await _counts(admin)
            await _check(admin, [topic for topic in wanted if topic not in missing])
    except (kafka.KafkaError, TimeoutError) as error:
        raise await explain(settings, error) from error
    finally:
        await admin.close()
    prefix = settings.kafka_topic_prefix
    return {topic: found[prefix + topic] for topic in _TOPICS}


async def cluster_id(settings: Settings) -> str:
    """The id that the cluster got when its storage was formatted. Raises UnavailableError or ConfigurationError."""
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000))
    try:
        async with asyncio.timeout(settings.kafka_timeout_s):
            await admin.start()
            return str((await admin.describe_cluster())["cluster_id"])
    except (kafka.KafkaError, TimeoutError) as error:
        raise await explain(settings, error) from error
    finally:
        await admin.close()


async def _counts(admin: Any) -> dict[str, int]:
    # All topics: asking for one by name would make a broker with auto.create.topics.enable create it, wrongly.
    return {
        topic["topic"]: len(topic["partitions"])
        for topic in await admin.describe_topics(None)
        if topic["partitions"] and all(p["leader"] >= 0 for p in topic["partitions"])
    }


async def _create(settings: Settings, admin: Any, topics: list[NewTopic]) -> None:
    response = await admin.create_topics(topics, timeout_ms=int(REQUEST_TIMEOUT_S * 1000))
    for name, code, *rest in response.topic_errors:
        error = kafka.for_code(code)
        detail = str(rest[0])[:300] if rest and rest[0] else error.__name__
        if error is kafka.NoError:
            _logger.info("topic created", extra={"fields": {"topic": name}})
        elif error is kafka.TopicAlreadyExistsError:
            pass  # another process was faster, or a partition of it has no leader at the moment
        elif error in _FORBIDDEN:
            raise ConfigurationError(
                f"the topic {name} is missing, or hidden from us, and we may not create it: {detail}",
                hint=_permissions(settings),
            )
        elif error is kafka.InvalidReplicationFactorError:
            raise ConfigurationError(
                f"the topic {name} cannot be created with {settings.kafka_replication} copies: {detail}",
                hint="start more brokers, or set GONGCHE_KAFKA_REPLICATION (1 = a lost disk loses positions)",
            )
        elif issubclass(error, kafka.KafkaError) and error.retriable:
            raise UnavailableError(f"the topic {name} could not be created: {detail}", hint="try again")
        else:
            raise ConfigurationError(
                f"the topic {name} could not be created: {detail}",
                hint="create it by hand, see the documentation",
            )


async def _check(admin: Any, topics: list[NewTopic]) -> None:
    """Warn of settings of existing topics that do harm. We may lack the permission to see them: then nothing."""
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, topic.name, dict.fromkeys(topic.topic_configs, ""))
        for topic in topics
    ]
    if not resources:
        return
    with suppress(kafka.KafkaError):
        for response in await admin.describe_configs(resources):
            for _code, _message, _kind, name, entries in response.resources:
                _warn(name, {entry[0]: entry[1] for entry in entries}, topics[0].topic_configs)


def _warn(name: str, there: Mapping[str, str | None], wanted: Mapping[str, str]) -> None:
    def number(key: str) -> int:
        value = there.get(key)
        return int(value) if value else int(wanted[key])

    wrong = [key for key in ("max.message.bytes", "min.insync.replicas") if number(key) < int(wanted[key])]
    if 0 <= number("retention.ms") < int(wanted["retention.ms"]):
        wrong.append("retention.ms")
    if "compact" in (there.get("cleanup.policy") or ""):
        wrong.append("cleanup.policy")
    for key in wrong:
        _logger.warning("topic %s has %s=%s, it should be %s", name, key, there.get(key), wanted[key])
