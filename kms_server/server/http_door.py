"""The fast door: HTTP/1.1 on an event loop, in front of the pipeline.

A call on warm keys runs inline; one that needs the database runs in a thread, and so does one whose body is streamed.
Answers leave in the order of the requests, and none before its audit record is on disk. A call goes on when its client
has gone.
"""

import asyncio
import logging
import time
from functools import partial

from kms_server.batches import Ticket
from kms_server.errors import KMSInternalException
from kms_server.keyring.cache import WouldBlock
from kms_server.protocol.message import ClientGone, Request, Response, StreamedResponse
from kms_server.quotas.limiter import Undecided
from kms_server.server.call_kinds import UNKNOWN_FAILED, Kind, failed
from kms_server.server.client_link import ClientLink
from kms_server.server.door import Door
from kms_server.server.door_types import OWN_PATHS, StreamAnswerer, broken, for_web_page, plain_http
from kms_server.server.http_writer import CONTINUE
from kms_server.server.incoming_body import IncomingBody
from kms_server.server.pipeline import Arrival, Ended, Outcome, Stage, go_on, once_more, resumed
from kms_server.server.threads import Errand, Threads
from kms_server.server.traces import NOTHING, Told
from kms_server.server.transfer import Transfer

_LOG = logging.getLogger(__name__)
_STUCK = "a call was refused: the storage does not answer"


class Connection(ClientLink):
    """One client connection.

    `_outcome` is the answer to the request under way while that waits for its record; `_held` is a stage that has to wait,
    and what it takes, and `_forgotten` one that waits until it is known what has changed, which it does once (`_looked`).
    `_errand` is it in a thread, and `_transfer` is there as long as it is a claimed request whose body or answer is under way.
    """

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        self._loop = asyncio.get_running_loop()
        self.work: object = None
        self._held: tuple[Stage, object] | None = None
        self._outcome: Outcome | None = None
        self._errand: Errand[Outcome] | None = None
        self._forgotten: tuple[Stage, object] | None = None
        self._looked = False
        self._transfer: Transfer | None = None
        self._keep_alive = False
        self._began = 0.0

    def connection_lost(self, error: Exception | None) -> None:
        """The client is gone; a call under way goes on, but no transfer."""
        super().connection_lost(error)
        if self._transfer is not None:
            self._transfer.fail()

    def check_time(self, now: float) -> None:
        """End what takes too long: a record that does not reach the disk, a call, a client."""
        waited = now - self._since
        if self._outcome is not None:
            if waited > self._limits.audit_deadline:
                self._answer_unaudited(self._outcome)
                self.advance()
        elif self._transfer is not None:
            self._check_transfer(self._transfer, now)
        elif self._current is not None:
            errand = self._errand if self._forgotten is None else self._door.looking
            if errand is not None and errand.is_late:
                errand.leave()
                self._fail(_STUCK)
            elif waited > self._limits.request_timeout:
                self._fail("a call took longer than its time limit")
        else:
            self._check_client(now)

    def _check_transfer(self, transfer: Transfer, now: float) -> None:
        if transfer.is_late:
            transfer.leave()
            self._transfer = None
            if transfer.begun:
                self.abort()
            else:
                self._fail(_STUCK)
        elif transfer.body.waited(now) > self._limits.request_timeout:
            self._reader.give_up(408)
        elif self._door.turns.crowded and transfer.lag(now) > self._limits.crowd_patience:
            # Others wait for the thread that this client holds up.
            if transfer.begun:
                self.abort()
            else:
                self._reader.give_up(408)
        elif self.write_paused and self._is_stuck(now):
            self.abort()

    def advance(self) -> None:
        """Answer the requests that wait, one after the other; after the last comes what else is due."""
        if self._transfer is not None and not self._ending:
            self._transfer.advance()
        while self.begin():
            self._door.take_through([self])
            self._take()
        self._regulate()

    def _catch_up(self) -> None:
        """Every request that has arrived is answered."""
        if self._reader.refusal is not None:
            self._refuse(self._reader.refusal)
        elif self._half_closed:
            self._end()
        elif self._reader.awaits_continue:
            self._reader.awaits_continue = False
            self.write(CONTINUE)

    def begin(self) -> bool:
        """Take the next request unless one is under way; whether one was taken."""
        if self._current is not None or self._ending or self.write_paused:
            return False
        incoming = self._reader.take()
        if incoming is None:
            self._catch_up()
            return False
        self._current = incoming
        self._since = self._began = time.monotonic()
        self._looked = False
        door, request = self._door, incoming.request
        if door.entrance.require_tls and door.entrance.refuses(request):
            self._answer(plain_http(request))
        elif incoming.body is not None and door.streams is not None:
            self._begin_transfer(request, incoming.body, door.streams)
        elif request.target.startswith(OWN_PATHS):
            self._in_thread(door.own_threads, partial(door.bridge.answer, request))
        else:
            self.work = Arrival(request, may_block=False)
        return True

    def stop(self, stage: Stage, work: object, error: Exception) -> None:
        """Answer the request, or have it wait or go on in a thread where the stage would have to wait."""
        self.work = None
        if isinstance(error, Ended):
            self.work = error.outcome
            self._take()
        elif isinstance(error, Undecided):
            self._held = (stage, work)
            error.decision.on_done = self._on_decision
        elif isinstance(error, WouldBlock):
            self._wait_for_database(stage, work)
        else:
            self._fail(f"a request failed: {type(error).__name__}")

    def resume(self, stage: Stage) -> None:
        """Take the request up that waits in a stage."""
        if self._held is not None and self._held[0] is stage:
            _, self.work = self._held
            self._held = None

    def recall(self) -> None:
        """What has changed is known."""
        self._held, self._forgotten = self._forgotten, None

    def _wait_for_database(self, stage: Stage, work: object) -> None:
        """Wait until it is known what has changed, or where that is not enough go on in a thread."""
        if self._current is None:
            return  # it has been answered as failed
        request, stages = self._current.request, self._door.stages
        if not self._looked and self._door.look(self):
            self._looked = True
            self._forgotten = resumed(stages, stage, work, request, may_block=False)
            return
        if self._door.tally is not None:
            self._door.tally.cold()
        self._in_thread(self._door.threads, partial(go_on, stages, stage, work, request))

    def _on_decision(self, _: object) -> None:
        """It is known whether the limits let the request under way pass."""
        self._door.again(self)

    def _in_thread(self, threads: Threads, work: "partial[Outcome]") -> None:
        if threads.is_stuck:
            self._fail(_STUCK)
            return
        self._errand = threads.start(work)
        asyncio.wrap_future(self._errand.future, loop=self._loop).add_done_callback(self._on_cold_done)

    def _begin_transfer(self, request: Request, body: IncomingBody, streams: StreamAnswerer) -> None:
        if self._door.stream_threads.is_stuck:
            self._fail(_STUCK)
            return
        self._transfer = Transfer(request, body, self, self._door.stream_threads)
        self._transfer.start(streams, self._door.turns)

    def _on_cold_done(self, future: "asyncio.Future[Outcome]") -> None:
        error = None if future.cancelled() else future.exception()
        self._errand = None
        if self._ending:
            return  # the client has gone, or was answered when the time limit had passed
        if error is not None:
            self._fail(f"a request failed in its thread: {type(error).__name__}")
            return
        self._since = time.monotonic()  # the record's deadline begins when the record was handed over
        self.work = future.result()
        self._take()
        self.advance()

    def begin_answer(self, response: StreamedResponse) -> bool:
        """Send the head of the answer to a claimed request; False when none can be made of it."""
        incoming = self._current
        assert incoming is not None  # noqa: S101 - there is an answer only to a request under way
        self._keep_alive = self._keeps(incoming)
        request = incoming.request
        if "origin" in request.headers:
            response = for_web_page(request.method, request.target, response)
        try:
            head = self._door.writer.render_head(response, keep_alive=self._keep_alive)
        except ValueError:
            _LOG.error("an answer cannot be written")
            self.abort()
            return False
        self.write(head)
        return True

    def end_transfer(self, error: BaseException | None) -> None:
        """A claimed request has its whole answer, or `error` says why not; then the answer must not seem whole."""
        transfer, incoming = self._transfer, self._current
        self._transfer = None
        if self._ending or transfer is None or incoming is None:
            return  # the client has gone
        if error is None:
            self._current = None
            self._since = time.monotonic()
            self._conclude(incoming, keep_alive=self._keep_alive)
        elif transfer.begun:
            _LOG.error("an answer broke off: %s", type(error).__name__)
            self.abort()
        elif isinstance(error, ClientGone):
            self._current = None
            if not self._half_closed:
                self._reader.give_up(408)
        else:
            self._fail(f"a request failed in its thread: {type(error).__name__}")
        self.advance()

    def finish(self) -> None:
        """Answer, and go on with the next request."""
        self._take()
        if self._is_due:
            self.advance()

    def _take(self) -> None:
        """Answer a request that is through when its record is on disk."""
        outcome = self.work
        if not isinstance(outcome, Outcome):
            return
        self.work, ticket = None, outcome.ticket
        if ticket is None:
            self._answer(outcome.response, outcome.kind, outcome.told)
        elif ticket.done:
            self._settle(outcome, ticket)
        else:
            self._outcome = outcome
            ticket.on_done = self._on_ticket

    def _on_ticket(self, ticket: Ticket) -> None:
        """The record is on disk, or failed; a ticket whose deadline has passed is no longer waited for."""
        outcome = self._outcome
        if outcome is not None and outcome.ticket is ticket:
            self._settle(outcome, ticket)
            if self._is_due:
                self.advance()

    def _settle(self, outcome: Outcome, ticket: Ticket) -> None:
        if not ticket.failed:
            self._answer(outcome.response, outcome.kind, outcome.told)
        elif ticket.outdated and self._current is not None:
            self._outcome = None
            again = partial(once_more, self._door.stages, self._current.request, charged=outcome.charged)
            self._in_thread(self._door.threads, again)
        else:
            self._answer_unaudited(outcome)

    def _answer_unaudited(self, outcome: Outcome) -> None:
        told = outcome.told._replace(error=KMSInternalException.code)
        self._answer(outcome.unaudited(), outcome.kind and failed(outcome.kind), told)

    def _answer(
        self, response: Response, kind: Kind | None = None, told: Told = NOTHING, *, last: bool = False
    ) -> None:
        incoming, door = self._current, self._door
        self._current = self._outcome = None
        self._since = now = time.monotonic()
        seconds = now - self._began
        if kind is not None and door.tally is not None:
            door.tally.call(kind, seconds)
        if incoming is None:
            return
        request = incoming.request
        if door.access_log is not None:
            door.access_log.note(request, response, kind, seconds)
        if door.traces is not None and kind is not None:
            door.traces.note(request, response, kind, seconds, told)
        if self._ending:
            return
        keep_alive = not last and self._keeps(incoming)
        if "origin" in request.headers:
            response = for_web_page(request.method, request.target, response)
        with_body = request.method != "HEAD"
        self._transport.write(door.writer.render(response, keep_alive=keep_alive, with_body=with_body))
        if not keep_alive or incoming.body is not None:
            self._conclude(incoming, keep_alive=keep_alive)

    def _fail(self, what: str) -> None:
        _LOG.error("%s", what)
        self._forgotten = None
        self._answer(
            broken(self._current.request if self._current is not None else None), UNKNOWN_FAILED, last=True
        )
