"""Who is who: citizen numbers (GB 11643), social credit codes (GB 32100, GB 11714) and names.

Everything typed by people is first normalised (full-width digits and letters, lower case), then checked against an
ASCII pattern as a whole, then against its check character. Patterns and weights are those of the standards.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise
from typing import Literal

from kernel.errors import InvalidInput

Sex = Literal["male", "female"]

TEST_REGION = "990000"  # belongs to nobody: numbers for demonstrations and tests

_RESIDENT_ID = re.compile(r"[1-9][0-9]{5}(18|19|20)[0-9]{9}[0-9X]", re.ASCII)
_FOREIGN_2017 = re.compile(r"[A-Z]{3}[0-9]{12}", re.ASCII)
_PERMIT_REGIONS = frozenset({"810000", "820000", "830000"})
_OLD_NUMBER = re.compile(r"[1-9][0-9]{14}", re.ASCII)
_RESIDENT_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_RESIDENT_ID_CHARACTERS = "10X98765432"  # by remainder modulo 11 (ISO 7064 MOD 11-2)

_CREDIT_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # without I O S V Z
_CREDIT_CODE = re.compile(f"[{_CREDIT_CODE_ALPHABET}]{{18}}", re.ASCII)
_CREDIT_CODE_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)

# Full-width digits and letters become ASCII, small letters large, and nothing else changes: NFKC and str.upper() would
# turn other characters into accepted ones (the ligature U+FB00 into FF).
_PLAIN = {
    **{0xFF10 + digit: ord("0") + digit for digit in range(10)},
    **{
        start + letter: ord("A") + letter
        for start in (0xFF21, 0xFF41, ord("a"))  # full-width A, full-width a, a
        for letter in range(26)
    },
}


@dataclass(frozen=True, slots=True)
class Divisions:
    """Division codes we know within one prefix; outside it we know nothing and warn of nothing."""

    prefix: str
    current: frozenset[str]
    former: frozenset[str]

    def warning(self, code: str) -> str:
        """DIVISION_FORMER, DIVISION_UNKNOWN, or nothing; never a reason to refuse a number."""
        if not code.startswith(self.prefix) or code in self.current:
            return ""
        return "DIVISION_FORMER" if code in self.former else "DIVISION_UNKNOWN"


@dataclass(frozen=True, slots=True)
class ResidentIdCheck:
    """What a citizen number says.

    ``reason`` is empty when valid, otherwise the first of FORMAT, OLD_NUMBER (15 digits: for looking up only, never for
    registration), BIRTH_DATE, FUTURE_BIRTH, CHECKSUM, TEST_REGION. ``number`` is the normalised form; it is personal
    data and stays out of the representation.
    """

    valid: bool
    reason: str
    number: str
    birth: date | None = None
    sex: Sex | None = None
    division: str = ""
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ResidentIdCheck(valid={self.valid}, reason={self.reason!r})"


class DocumentKind(StrEnum):
    """Kind of identity document (证件类型), read from the form of its number."""

    CITIZEN = "CITIZEN"  # 居民身份证
    HK_MACAO_TAIWAN = "HK_MACAO_TAIWAN"  # 港澳台居民居住证
    FOREIGN = "FOREIGN"  # 外国人永久居留身份证, issued since 2023-12
    FOREIGN_2017 = "FOREIGN_2017"  # the same in the form of 2017


@dataclass(frozen=True, slots=True)
class CreditCodeCheck:
    """What a unified social credit code (统一社会信用代码) says; ``reason`` is empty, FORMAT or CHECKSUM.

    ``organisation_check_ok`` concerns the inner organisation code (GB 11714) and is a warning only: a few real codes
    issued before 2015 fail it.
    """

    valid: bool
    reason: str
    code: str
    organisation_check_ok: bool = False
    authority: str = ""
    kind: str = ""
    division: str = ""


def normalise_resident_id(text: str) -> str:
    """Full-width characters to ASCII, ``x`` to ``X``; nothing is cut off or taken out."""
    return text.translate(_PLAIN)


def normalise_credit_code(text: str) -> str:
    """Full-width characters to ASCII, lower case to upper; nothing is cut off or taken out."""
    return normalise_resident_id(text)


def check_resident_id(
    number: str, as_of: date, *, allow_test_region: bool = True, divisions: Divisions | None = None
) -> ResidentIdCheck:
    """Check a citizen number (公民身份号码, GB 11643), which is also the social-security number (社会保险法 art. 58).

    Args:
        number: As typed.
        as_of: Processing day; a birth on that day is accepted, a later one is not.
        allow_test_region: Whether region 990000 is accepted; production says no.
        divisions: Known division codes, for warnings.
    """
    number = normalise_resident_id(number)
    reason, birth = _read_birth(number, as_of)
    if not reason and resident_id_check_character(number[:17]) != number[17]:
        reason = "CHECKSUM"
    division = number[:6]
    if not reason and division == TEST_REGION and not allow_test_region:
        reason = "TEST_REGION"
    if reason:
        return ResidentIdCheck(valid=False, reason=reason, number=number)
    warning = divisions.warning(division) if divisions else ""
    return ResidentIdCheck(
        valid=True,
        reason="",
        number=number,
        birth=birth,
        sex="male" if int(number[16]) % 2 else "female",
        division=division,
        warnings=(warning,) if warning else (),
    )


def _read_birth(number: str, as_of: date) -> tuple[str, date | None]:
    """The first reason why the form or the birth date is wrong, and the birth date."""
    if _OLD_NUMBER.fullmatch(number):
        return "OLD_NUMBER", None
    if not _RESIDENT_ID.fullmatch(number):
        return "FORMAT", None
    try:
        birth = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return "BIRTH_DATE", None
    return ("FUTURE_BIRTH" if birth > as_of else ""), birth


def check_document(
    number: str, as_of: date, *, allow_test_region: bool = True, birth: date | None = None, sex: Sex | None = None
) -> ResidentIdCheck:
    """Check the number of any document that insures somebody: as `check_resident_id`, and the 2017 foreign card.

    Permits of Hong Kong, Macao and Taiwan and foreign cards since 2023-12 are built like citizen numbers. The 15
    characters of the 2017 form say neither sex nor century and have a check character whose rule is not public: birth
    and sex are given beside it, and only YYMMDD is compared.

    Args:
        number: As typed.
        as_of: Processing day.
        allow_test_region: Whether region 990000 is accepted.
        birth: Date of birth, for numbers that do not say it.
        sex: Sex, for numbers that do not say it.
    """
    plain = normalise_resident_id(number)
    if not _FOREIGN_2017.fullmatch(plain):
        return check_resident_id(plain, as_of, allow_test_region=allow_test_region)
    reason = ""
    if birth is None or sex is None:
        reason = "BIRTH_AND_SEX_NEEDED"
    elif birth > as_of:
        reason = "FUTURE_BIRTH"
    elif f"{birth:%y%m%d}" != plain[7:13]:
        reason = "BIRTH_DATE"
    if reason:
        return ResidentIdCheck(valid=False, reason=reason, number=plain)
    return ResidentIdCheck(valid=True, reason="", number=plain, birth=birth, sex=sex, division=f"{plain[3:7]}00")


def document_kind(number: str) -> DocumentKind:
    """The kind of document that a normalised, valid number belongs to."""
    if _FOREIGN_2017.fullmatch(number):
        return DocumentKind.FOREIGN_2017
    if number[:6] in _PERMIT_REGIONS:
        return DocumentKind.HK_MACAO_TAIWAN
    if number[0] == "9" and number[:6] != TEST_REGION:
        return DocumentKind.FOREIGN
    return DocumentKind.CITIZEN


def is_foreign_2017(number: str) -> bool:
    """Whether a normalised number has the form of the foreign card of 2017."""
    return _FOREIGN_2017.fullmatch(number) is not None


def full_number(number: str) -> str:
    """A citizen number of 15 digits as the one of 18 that replaced it; any other as it is. For looking up only."""
    if not _OLD_NUMBER.fullmatch(number):
        return number
    first_17 = f"{number[:6]}19{number[6:]}"
    return first_17 + resident_id_check_character(first_17)


def resident_id_check_character(first_17: str) -> str:
    """The eighteenth character (校验码) of the first seventeen digits."""
    weighted = sum(weight * int(digit) for weight, digit in zip(_RESIDENT_ID_WEIGHTS, first_17, strict=True))
    return _RESIDENT_ID_CHARACTERS[weighted % 11]


def make_resident_id(division: str, birth: date, sequence: int) -> str:
    """A valid citizen number for demonstrations and tests.

    Args:
        division: Six digits; :data:`TEST_REGION` is nobody's.
        birth: Day of birth.
        sequence: 0 to 999; odd is a man, even a woman.
    """
    first_17 = f"{division}{birth:%Y%m%d}{sequence:03d}"
    return first_17 + resident_id_check_character(first_17)


def check_credit_code(code: str) -> CreditCodeCheck:
    """Check a unified social credit code (GB 32100)."""
    code = normalise_credit_code(code)
    if not _CREDIT_CODE.fullmatch(code):
        return CreditCodeCheck(valid=False, reason="FORMAT", code=code)
    if credit_code_check_character(code[:17]) != code[17]:
        return CreditCodeCheck(valid=False, reason="CHECKSUM", code=code)
    return CreditCodeCheck(
        valid=True,
        reason="",
        code=code,
        organisation_check_ok=organisation_check_character(code[8:16]) == code[16],
        authority=code[0],
        kind=code[1],
        division=code[2:8],
    )


def credit_code_check_character(first_17: str) -> str:
    """The eighteenth character of a credit code."""
    weighted = sum(
        weight * _CREDIT_CODE_ALPHABET.index(character)
        for weight, character in zip(_CREDIT_CODE_WEIGHTS, first_17, strict=True)
    )
    return _CREDIT_CODE_ALPHABET[-weighted % 31]


def organisation_check_character(first_8: str) -> str:
    """The ninth character of an organisation code (组织机构代码, GB 11714); letters count from 10."""
    weighted = sum(
        weight * int(character, 36) for weight, character in zip(_ORGANISATION_WEIGHTS, first_8, strict=True)
    )
    remainder = -weighted % 11
    return "X" if remainder == 10 else str(remainder)  # noqa: PLR2004 - the standard writes ten as X


def make_credit_code(division: str, organisation: str, *, authority: str = "9", kind: str = "1") -> str:
    """A valid credit code for demonstrations and tests.

    Args:
        division: Six digits of the registering authority.
        organisation: Eight characters of the alphabet; its check character is added.
        authority: Registering department; 9 is the market regulator.
        kind: Kind of body; 1 under department 9 is an enterprise.
    """
    first_17 = f"{authority}{kind}{division}{organisation}{organisation_check_character(organisation)}"
    return first_17 + credit_code_check_character(first_17)


NAME_LENGTH_MAX = 50  # the longest names on identity cards fit
_MIDDLE_DOT = "·"
# What people type for the dot inside a name; all are stored as U+00B7.
_MIDDLE_DOTS = dict.fromkeys(map(ord, "•‧∙⋅⸱・･．"), _MIDDLE_DOT)
_JOINTS = frozenset(_MIDDLE_DOT + " -'’.")


def normalise_name(text: str) -> str:
    """A person's name as it is stored and compared: by code points, rare characters kept whole.

    Han characters including extensions A to J, Latin letters with their accents (NFC), and between them the middle
    dot, blank, hyphen, apostrophe and full stop. One character is a name; so are fifty.

    Raises:
        InvalidInput: NAME_EMPTY, NAME_TOO_LONG, NAME_CHARACTER (control, invisible, direction and all other
            characters), NAME_FORM (a joint at an end or beside another, like a leading blank).
    """
    return _normalise(text, _is_name_character)


def normalise_employer_name(text: str) -> str:
    """An employer's name: as a person's, with digits and brackets, up to the same care for invisible characters.

    Raises:
        InvalidInput: As :func:`normalise_name`.
    """
    return _normalise(text, lambda character: _is_name_character(character) or character in _EMPLOYER_EXTRA, 100)


_EMPLOYER_EXTRA = frozenset("0123456789()（）《》“”、&,")


def _normalise(text: str, allowed: Callable[[str], bool], longest: int = NAME_LENGTH_MAX) -> str:
    if not text:
        raise InvalidInput("NAME_EMPTY", "a name has at least one character")
    if len(text) > 4 * longest:  # before normalising: a flood of combining marks is slow work
        raise InvalidInput("NAME_TOO_LONG", f"a name has at most {longest} characters")
    name = unicodedata.normalize("NFC", text).translate(_MIDDLE_DOTS)
    if len(name) > longest:
        raise InvalidInput("NAME_TOO_LONG", f"a name has at most {longest} characters")
    if not all(character in _JOINTS or allowed(character) for character in name):
        raise InvalidInput("NAME_CHARACTER", "a name holds a character that names do not have")
    if name[0] in _JOINTS or name[-1] in _JOINTS - {"."}:
        raise InvalidInput("NAME_FORM", "a name begins and ends with a letter or character")
    for left, right in pairwise(name):
        if left in _JOINTS and right in _JOINTS and not (left == "." and right == " "):
            raise InvalidInput("NAME_FORM", "a name has one joint between its parts")
    return name


# By range, not by category: Python 3.11 does not know the newest extensions, and people carry them in their names.
_HAN = ((0x3007, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xFA0E, 0xFA29), (0x20000, 0x323AF), (0x323B0, 0x3347F))


def _is_name_character(character: str) -> bool:
    point = ord(character)
    if any(first <= point <= last for first, last in _HAN):
        return True
    return unicodedata.category(character) in {"Lu", "Ll"} and unicodedata.name(character, "").startswith("LATIN ")
