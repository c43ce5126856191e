"""The form of a POST upload: fields, then one file that is read as it arrives (RFC 7578; AWS "POST Object")."""

import re
from typing import NamedTuple

from kms_server.protocol.message import Body
from kms_server.s3.errors import (
    IncorrectNumberOfFiles,
    MalformedPOSTRequest,
    MaxPostPreDataLengthExceeded,
    PreconditionFailed,
    UserKeyMustBeSpecified,
)

# Bytes of all that stands before the file; as much may stand behind it.
MOST_FIELD_BYTES = 20_480
_BOUNDARY = re.compile(
    r'multipart/form-data\s*;.*?\bboundary=(?:"([^"]{1,70})"|([^\s";,]{1,70}))', re.IGNORECASE
)
_DISPOSITION = re.compile(r"content-disposition\s*:\s*form-data\s*(;.*)", re.IGNORECASE)
_PARAMETER = re.compile(r';\s*([a-z*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
_FILENAME = "${filename}"


class FormFile:
    """The file of a form, as a body. What stands behind it in the form is passed over."""

    def __init__(self, body: Body, begun: bytes, delimiter: bytes) -> None:
        self._body = body
        self._rest = begun
        self._delimiter = delimiter
        self._at_end = False

    def read(self, most: int) -> bytes:
        """As `Body.read`.

        Raises:
            MalformedPOSTRequest: the form ends within the file, or goes on too long behind it.
        """
        while not self._at_end:
            end = self._rest.find(self._delimiter)
            # A delimiter may have begun in the last bytes.
            sure = end if end >= 0 else len(self._rest) - len(self._delimiter) + 1
            if sure > 0:
                piece = self._rest[: min(sure, most)]
                self._rest = self._rest[len(piece) :]
                return piece
            if end == 0:
                self._pass_over_the_rest()
            else:
                self._rest += _more(self._body, most)
        return b""

    def _pass_over_the_rest(self) -> None:
        rest = self._rest[len(self._delimiter) :]
        while data := self._body.read(MOST_FIELD_BYTES):
            rest += data
            if len(rest) > MOST_FIELD_BYTES:
                raise MalformedPOSTRequest
        if rest[:2] not in (b"--", b"\r\n"):
            raise MalformedPOSTRequest
        self._at_end = True
        self._rest = b""


class PostForm(NamedTuple):
    """A form: its fields by lower-case names, the key with the file's name put in, and the file."""

    fields: dict[str, str]
    file: FormFile


class _Fields:
    """Reads what stands before the file, within its limit."""

    def __init__(self, body: Body) -> None:
        self._body = body
        # So that the first delimiter begins as all others do.
        self.rest = b"\r\n"
        self._allowed = MOST_FIELD_BYTES

    def until(self, mark: bytes) -> bytes:
        """The bytes before the next `mark`, which is passed over."""
        while (end := self.rest.find(mark)) < 0:
            if len(self.rest) > self._allowed:
                raise MaxPostPreDataLengthExceeded
            self.rest += _more(self._body, MOST_FIELD_BYTES)
        found = self.rest[:end]
        self.rest = self.rest[end + len(mark) :]
        self._allowed -= end + len(mark)
        if self._allowed < 0:
            raise MaxPostPreDataLengthExceeded
        return found


def read_form(body: Body, content_type: str) -> PostForm:
    """Read a form up to its file.

    Raises:
        PreconditionFailed: it is no multipart/form-data.
        MalformedPOSTRequest, MaxPostPreDataLengthExceeded, IncorrectNumberOfFiles
        UserKeyMustBeSpecified: it has no field `key` before the file, or nothing in it.
    """
    boundary = _BOUNDARY.match(content_type)
    if boundary is None:
        raise PreconditionFailed(Condition="Bucket POST must be of the enclosure-type multipart/form-data")
    delimiter = b"\r\n--" + (boundary[1] or boundary[2]).encode("latin-1")
    reader = _Fields(body)
    if reader.until(delimiter).strip(b"\r\n"):
        raise MalformedPOSTRequest
    fields: dict[str, str] = {}
    while True:
        ending = reader.until(b"\r\n")
        if ending == b"--":
            raise IncorrectNumberOfFiles
        if ending:
            raise MalformedPOSTRequest
        parameters = _disposition(reader.until(b"\r\n\r\n"))
        name = parameters["name"].lower()
        if name == "file":
            _put_filename_in(fields, parameters.get("filename", ""))
            return PostForm(fields, FormFile(body, reader.rest, delimiter))
        if name in fields:
            raise MalformedPOSTRequest
        fields[name] = _text(reader.until(delimiter))


def _disposition(head: bytes) -> dict[str, str]:
    """The parameters of a part's Content-Disposition."""
    for line in _text(head).split("\r\n"):
        found = _DISPOSITION.fullmatch(line)
        if found:
            named = {one[1].lower(): one[2] or one[3] or "" for one in _PARAMETER.finditer(found[1])}
            if "name" in named:
                return {name: re.sub(r"\\(.)", r"\1", value) for name, value in named.items()}
    raise MalformedPOSTRequest


def _put_filename_in(fields: dict[str, str], filename: str) -> None:
    if not fields.get("key"):
        raise UserKeyMustBeSpecified
    # Some browsers send a whole path.
    name = filename.replace("\\", "/").rpartition("/")[2]
    fields["key"] = fields["key"].replace(_FILENAME, name)
    if not fields["key"]:
        raise UserKeyMustBeSpecified


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MalformedPOSTRequest from None


def _more(body: Body, most: int) -> bytes:
    data = body.read(most)
    if not data:
        raise MalformedPOSTRequest
    return data
