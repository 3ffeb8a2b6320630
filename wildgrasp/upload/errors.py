"""What can go wrong between a session here and its copy on the server, as a person can mend it."""

from wildgrasp.errors import UserError


class UploadError(UserError):
    """Something about uploads that a person can mend."""


class QueueBusyError(UploadError):
    """Another process uploads this queue."""


class TargetError(UploadError):
    """Nothing can be uploaded to this server now; what waits keeps waiting."""


class WrongKeyError(TargetError):
    """The server does not know the key, or the secret is another one."""


class NoPermissionError(TargetError):
    """The server knows the key and allows it less than an upload needs."""


class NoSuchBucketError(TargetError):
    """The bucket does not exist."""


class ClockSkewError(TargetError):
    """This computer's clock is too far off for signed requests."""


class UnverifiedError(TargetError):
    """The server confirms no checksums, so that its copy cannot be verified."""


class ServerGoneError(TargetError):
    """The server does not answer, or not as it should: worth another try."""


class SessionUploadError(UploadError):
    """This session cannot be uploaded; the others can."""


class SessionRefusedError(SessionUploadError):
    """The session is unfinished, damaged, or holds what no session holds."""


class SessionChangedError(SessionUploadError):
    """The session is not any more what it was when its upload began."""


class DiskReadError(SessionUploadError):
    """This computer's disk does not give the session's data back."""


class KeyExistsError(SessionUploadError):
    """The server holds something else under this name."""
