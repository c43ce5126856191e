"""Where the buckets of trails are: where the configuration says, else in our own S3 layer."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from kms_server.audit.group_commit import GroupCommit
from kms_server.audit.trail.destination import Destination, DestinationError
from kms_server.audit.trail.directory import DirectoryDestination
from kms_server.config import DirectoryBucket
from kms_server.errors import InsufficientS3BucketPolicyException, S3BucketDoesNotExistException
from kms_server.s3.call import S3Services
from kms_server.server.audit_trail import audit_log, data_log
from kms_server.server.authentication import Authenticator
from kms_server.server.endpoint_bucket import EndpointDestination
from kms_server.server.own_bucket import OwnBucket
from kms_server.server.pipeline import Pipeline
from kms_server.server.s3_composition import s3_layer
from kms_server.server.s3_operator import operator_services
from kms_server.server.s3_pipeline import S3Pipeline
from kms_server.server.services import services_of
from kms_server.server.state import State
from kms_server.storage.reserve import Reserve
from kms_server.storage.trails import Trail


class TrailBuckets:
    """Finds destinations; `own` is the S3 layer of this process, None where it has none."""

    def __init__(self, state: State, own: S3Pipeline | None) -> None:
        self._configured = state.settings.audit_buckets
        self._own = own

        @cache
        def reader() -> S3Services:
            return operator_services(state)

        self._reader = reader

    def __call__(self, trail: Trail, bucket: str) -> Destination:
        """The destination for what a trail delivers to a bucket of that name.

        Raises:
            DestinationError: there is none.
        """
        configured = self._configured.get(bucket)
        if configured is None:
            return self._of_our_own(trail, bucket)
        if isinstance(configured, DirectoryBucket):
            return DirectoryDestination(configured.directory)
        return EndpointDestination(configured, configured.bucket or bucket, trail)

    def check(self, trail: Trail) -> None:
        """See that a trail could deliver to its bucket; what is elsewhere is found out at the first delivery.

        Raises:
            S3BucketDoesNotExistException, InsufficientS3BucketPolicyException: with AWS's texts.
        """
        configured = self._configured.get(trail.bucket)
        try:
            if isinstance(configured, DirectoryBucket):
                DirectoryDestination(configured.directory).check()
            elif configured is None and not self._of_our_own(trail, trail.bucket).lets_in():
                raise _insufficient(trail)
        except DestinationError as error:
            if error.code == "NoSuchBucket":
                raise S3BucketDoesNotExistException(f"S3 bucket {trail.bucket} does not exist!") from None
            raise _insufficient(trail) from None

    def _of_our_own(self, trail: Trail, bucket: str) -> OwnBucket:
        if self._own is None:
            raise DestinationError("NoSuchBucket", "this server has no S3 layer")
        return OwnBucket(bucket, trail, self._own, self._reader)


def _insufficient(trail: Trail) -> InsufficientS3BucketPolicyException:
    return InsufficientS3BucketPolicyException(
        f"Incorrect S3 bucket policy is detected for bucket: {trail.bucket}"
    )


@contextmanager
def trail_buckets(state: State) -> Iterator[TrailBuckets]:
    """Destinations for a command, beside a server that may be running; what is recorded meanwhile is on disk afterwards."""
    limits = state.settings.limits
    reserve = Reserve(state.settings.data_dir, limits.disk_reserve)
    management = GroupCommit(audit_log(state, reserve), limits)
    data = GroupCommit(data_log(state, reserve), limits)
    try:
        services = services_of(state)
        pipeline = Pipeline(
            services, Authenticator(services.keyring, state.settings), management, frozenset(state.settings.services)
        )  # fmt: skip
        layer = s3_layer(state.settings, services, pipeline, (management, data), reserve)
        yield TrailBuckets(state, layer.pipeline if layer else None)
    finally:
        management.close()
        data.close()
