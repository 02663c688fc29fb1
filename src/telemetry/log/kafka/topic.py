"""Which topic this is: the id that Kafka gives to a topic when it is created, and never again.

aiokafka asks for metadata in versions that do not have it, so the one request that does (version 10, brokers since 2.8)
is spelt out here, by https://kafka.apache.org/protocol: KIP-516.
"""

from __future__ import annotations

import asyncio
import base64
import uuid
from io import BytesIO
from typing import Any, Final

from aiokafka import AIOKafkaClient
from aiokafka import errors as kafka
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from runtime.settings import Settings
from telemetry.log.kafka.connection import REQUEST_TIMEOUT_S, connection, explain

_TEXT: Final = CompactString("utf-8")
_METADATA, _VERSION = 3, 10


class _Uuid(AbstractType[uuid.UUID]):  # type: ignore[misc]  # aiokafka has no types
    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = _METADATA
    API_VERSION = _VERSION
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), ("tags", TaggedFields)
            ),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _TEXT),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("in_sync", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _MetadataStruct(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    FLEXIBLE_VERSION = True
    API_KEY = _METADATA
    API_VERSION = _VERSION
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", _TEXT), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataStruct]):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = _METADATA

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_MetadataStruct]) -> _MetadataStruct:
        topics: list[tuple[uuid.UUID, str, dict[int, bytes]]] = [(uuid.UUID(int=0), self._topic, {})]
        return request_struct_class(topics, False, False, False, {})


async def topic_id(settings: Settings, topic: str) -> str:
    """The id of the topic with this full name, as Kafka's tools show it; "" where the brokers give none (before 2.8).

    Raises UnavailableError or ConfigurationError.
    """
    client = AIOKafkaClient(**connection(settings), request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000))
    try:
        async with asyncio.timeout(settings.kafka_timeout_s):
            await client.bootstrap()
            answer: Any = await client.send(client.get_random_node(), _MetadataRequest(topic))
        ((code, _name, found, *_rest),) = answer.topics
        if code:
            raise kafka.for_code(code)
        return base64.urlsafe_b64encode(found.bytes).decode().rstrip("=") if found.int else ""
    except NotImplementedError:  # the brokers do not speak this version
        return ""
    except (kafka.KafkaError, TimeoutError) as error:
        raise await explain(settings, error) from error
    finally:
        await client.close()
