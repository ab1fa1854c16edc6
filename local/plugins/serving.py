"""Serves a provider to the engine: what `pulumi.provider.experimental.server.main` does not do.

The experimental server turns every exception into "Unexpected ...", cannot tell the engine that a
resource exists but is not ready, and its DiffConfig mistakes "changed" for "unchanged". This adds
those three, and the way back to the engine's diagnostics.
"""

import asyncio
import contextlib
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc
import grpc.aio
from google.protobuf import any_pb2
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import DiffRequest, Provider
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime._grpc_settings import (
    _GRPC_CHANNEL_OPTIONS,  # pyright: ignore[reportPrivateUsage]
)
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)


class Failure(Exception):
    """An operation failed. The text is shown to the user: it holds no secret."""


class NotReady(Failure):
    """The object exists but did not become ready: the engine keeps it in state and says so.

    Upstream: `partialError` in provider/pkg/provider/provider.go.
    """

    def __init__(
        self,
        message: str,
        reasons: list[str],
        resource_id: str,
        properties: dict[str, PropertyValue],
        inputs: dict[str, PropertyValue] | None = None,
    ) -> None:
        super().__init__(message)
        self.detail = provider_pb2.ErrorResourceInitFailed(
            id=resource_id,
            properties=PropertyValue.marshal_map(properties),
            reasons=[message, *reasons],
            inputs=None if inputs is None else PropertyValue.marshal_map(inputs),
        )


class Engine:
    """The engine's diagnostics."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stub: Any = None

    async def info(self, message: str, urn: str = "") -> None:
        """A status line, shown while the resource is worked on."""
        await self._log(
            engine_pb2.LogRequest(
                severity=engine_pb2.INFO, message=message, urn=urn, ephemeral=True
            )
        )

    async def warn(self, message: str, urn: str = "") -> None:
        """A warning that stays."""
        await self._log(
            engine_pb2.LogRequest(severity=engine_pb2.WARNING, message=message, urn=urn)
        )

    async def _log(self, request: engine_pb2.LogRequest) -> None:
        if self._stub is None:  # the channel belongs to the running event loop
            self._stub = engine_pb2_grpc.EngineStub(grpc.aio.insecure_channel(self._address))
        with contextlib.suppress(grpc.RpcError):  # an engine that is gone needs no diagnostics
            await self._stub.Log(request)


class Servicer(ProviderServicer):
    """The experimental servicer with DiffConfig and Read corrected."""

    async def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        difference = await self._provider.diff_config(
            DiffRequest(
                request.urn,
                request.id,
                PropertyValue.unmarshal_map(request.olds),
                PropertyValue.unmarshal_map(request.news),
                list(request.ignoreChanges),
            )
        )
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some if difference.changes else none,
            replaces=difference.replaces,
            diffs=difference.diffs,
        )

    async def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        answer = await cast(Any, super()).Read(request, context)
        # "No such resource" is an answer without properties; an empty map is a resource.
        return answer if answer.id else provider_pb2.ReadResponse()


class Failures(grpc.aio.ServerInterceptor):
    """Turns exceptions into the answers that the engine understands."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler

        async def answer(request: Any, context: Any) -> Any:
            try:
                return await handler.unary_unary(request, context)
            except NotImplementedError:  # the generated base class has set UNIMPLEMENTED
                raise
            except NotReady as error:
                status = status_pb2.Status(
                    code=grpc.StatusCode.UNKNOWN.value[0], message=str(error)
                )
                packed = any_pb2.Any()
                packed.Pack(error.detail)
                status.details.append(packed)
                details = (("grpc-status-details-bin", status.SerializeToString()),)
                await context.abort(grpc.StatusCode.UNKNOWN, str(error), details)
            except Failure as error:
                await context.abort(grpc.StatusCode.UNKNOWN, str(error))
            except Exception as error:
                # A bug. Say where, but not the text of the exception: it may quote a secret.
                frame = traceback.extract_tb(error.__traceback__)[-1]
                await context.abort(
                    grpc.StatusCode.INTERNAL,
                    f"local plugin failed: {type(error).__name__} in {frame.name}, "
                    f"{frame.filename}:{frame.lineno}",
                )

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


def serve(version: str, make: Callable[[Engine], Provider]) -> None:
    """Serve until the engine ends the process: the plugin protocol is a port number on stdout."""
    address = sys.argv[-1]  # after its logging and tracing flags

    async def run() -> None:
        server = grpc.aio.server(interceptors=[Failures()], options=_GRPC_CHANNEL_OPTIONS)
        servicer = Servicer(sys.argv[1:], version, make(Engine(address)), address)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(port, flush=True)
        await server.wait_for_termination()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
