"""Status lists: the published examples, packing, signing, permutation, and what is never inflated."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib

import cbor2
import numpy as np
import pytest

from services.card import cose, status
from services.card.crypto import profile as profiles
from services.card.keyring import Purpose
from services.card.status import SIZE, ListWrong, Permutation
from tests.card.rings import a_ring

# draft-ietf-oauth-status-list-20, §4.1 and §4.2 and appendix: the places that are set, and how their list ends: the
# last four bytes are the Adler-32 of everything in it, so that equal ends mean equal lists.
_SAME = [0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345]
FOUR_PLACES = [0, 1993, 35460, 459495, 595669, 754353, 845645, 923232, 924445, 934534, 1004534, 1000345, 1030203]
FOUR_PLACES += [1030204, 1030205]
EIGHT_PLACES = [
    *(233478, 52451, 576778, 513575, 468106, 292632, 214947, 182323, 884834, 66653, 62489, 196493, 458517, 487925),
    *(55649, 416992, 879796, 462297, 942059, 583408, 13628, 334829, 886286, 713557, 582738, 326064, 451545, 705889),
    *(214350, 194502, 796765, 202828, 752834, 721327, 554740, 91122, 963483, 261779, 793844, 165255, 614839, 758403),
    *(403258, 145867, 96100, 477937, 606890, 167335, 488197, 211815, 797182, 582952, 950870, 765108, 341110, 776325),
    *(745056, 439368, 559893, 149741, 358903, 513405, 342679, 969429, 795775, 566121, 460566, 680070, 117310, 480348),
    *(67319, 661552, 841303, 561493, 138807, 442463, 659927, 445910, 1046963, 829700, 962282, 299623, 555493, 292826),
    *(517215, 551009, 898490, 837603, 759161, 459948, 290102, 1034977, 190650, 98810, 229950, 320531, 335506, 885333),
    *(133227, 806915, 800313, 981571, 527253, 24077, 240232, 559572, 713399, 233941, 615514, 911768, 331680, 951527),
    *(6805, 552366, 374660, 223159, 625884, 417146, 320527, 784154, 338792, 1199, 679804, 1024680, 40845, 234603),
    *(761225, 644903, 502167, 121477, 505144, 165165, 179628, 1019195, 145149, 263738, 269256, 996739, 346296, 555864),
    *(887384, 444173, 421844, 653716, 836747, 783119, 918762, 946835, 253764, 519895, 471224, 134272, 709016, 44112),
    *(482585, 461829, 15080, 148883, 123467, 480125, 141348, 65877, 692958, 148598, 499131, 584009, 1017987, 449287),
    *(277478, 991262, 509602, 991896, 853666, 399318, 197815, 203278, 903979, 743015, 888308, 862143, 979421, 113605),
    *(206397, 127113, 844358, 711569, 229153, 521470, 401793, 398896, 940810, 293983, 884749, 384802, 584151, 970201),
    *(523882, 158093, 929312, 205329, 106091, 30949, 195586, 495723, 348779, 852312, 1018463, 1009481, 448260, 841042),
    *(122967, 345269, 794764, 4520, 818773, 556171, 954221, 598210, 887110, 1020623, 324632, 398244, 622241, 456551),
    *(122648, 127837, 657676, 119884, 105156, 999897, 330160, 119285, 168005, 389703, 143699, 142524, 493258, 846778),
    *(251420, 516351, 83344, 171931, 879178, 663475, 546865, 428362, 658891, 500560, 557034, 830023, 274471, 629139),
    *(958869, 663071, 152133, 19535),
]
APPENDIX = {
    1: (dict.fromkeys(_SAME, 1), "C8L2AEb"),
    2: (dict(zip(_SAME, [1, 2, 1, 3, 1, 1, 2, 1, 1, 2, 3], strict=True)), "EBqH81gAQw"),
    4: (dict(zip(FOUR_PLACES, range(1, 16), strict=True)), "9xMBMA"),
    8: (dict(zip(EIGHT_PLACES, range(256), strict=True)), "gQ1PX-B"),
}


def unpadded(text: str) -> bytes:
    """Bytes from base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize(
    ("bits", "values", "expected"),
    [
        (1, [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1], "b9a3"),
        (2, [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3], "c944f9"),
    ],
)
def test_packing_is_that_of_the_draft(bits: int, values: list[int], expected: str) -> None:
    packed = status.pack(np.array(values, np.uint8), bits)

    assert packed.hex() == expected
    assert [status.get(packed, place, bits) for place in range(len(values))] == values


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_lists_of_the_appendix_are_packed_as_published(bits: int) -> None:
    places, ending = APPENDIX[bits]
    values = np.zeros(SIZE, np.uint8)
    values[list(places)] = list(places.values())

    packed = status.pack(values, bits)

    assert len(packed) == SIZE * bits // 8
    assert {place: status.get(packed, place, bits) for place in places} == places
    # base64 of the checksum: the published text ends with these characters, whatever was compressed how
    tail = base64.urlsafe_b64encode(zlib.compress(packed, 9)).rstrip(b"=").decode()
    assert tail.endswith(ending)


@pytest.mark.parametrize(
    "data",
    [b"", b"no list", zlib.compress(bytes(SIZE)), zlib.compress(bytes(10)), zlib.compress(bytes(SIZE // 4)) + b"more"],
    ids=["nothing", "no stream", "larger", "smaller", "trailing"],
)
def test_what_is_no_list_of_its_size_is_refused(data: bytes) -> None:
    with pytest.raises(ListWrong):
        status.inflate(data, SIZE // 4)


def test_threat_12_a_bomb_is_not_inflated() -> None:
    bomb = zlib.compress(bytes(30 * SIZE), 9)
    tracemalloc.start()
    with pytest.raises(ListWrong):
        status.inflate(bomb, SIZE // 4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < SIZE


def test_places_beyond_a_list_are_none() -> None:
    for place in (-1, 12, SIZE):
        with pytest.raises(ListWrong):
            status.get(b"\0\0\0", place)


@pytest.mark.parametrize("profile", profiles.PROFILES.values(), ids=lambda one: one.name)
def test_a_list_is_signed_as_cwt_and_as_jwt(profile: profiles.Profile) -> None:
    ring = a_ring(profile)
    key = ring.active(Purpose.STATUS)
    packed = status.pack(np.eye(1, SIZE, 7, dtype=np.uint8)[0])

    signed = status.sign("https://example.invalid/1", packed, 1_790_000_000, ring)

    tagged = cbor2.loads(signed.cwt)
    protected, unprotected, payload, signature = tagged.value
    assert (tagged.tag, unprotected) == (18, {})
    assert cbor2.loads(protected) == {1: profile.alg, 4: key.kid, 16: "application/statuslist+cwt"}
    claims = cbor2.loads(payload)
    assert (claims[2], claims[6], claims[4], claims[65534]) == (
        "https://example.invalid/1",
        1_790_000_000,
        1_790_086_400,
        300,
    )
    assert status.inflate(claims[65533]["lst"], SIZE // 4) == packed
    assert key.public.verifies(signature, cose.to_be_signed(protected, b"", payload))
    head, body, end = signed.jwt.split(".")
    assert json.loads(unpadded(head))["typ"] == "statuslist+jwt"
    said = json.loads(unpadded(body))
    assert (said["sub"], said["ttl"], said["status_list"]["bits"]) == ("https://example.invalid/1", 300, 2)
    assert unpadded(said["status_list"]["lst"]) == claims[65533]["lst"]
    assert key.public.verifies(unpadded(end), f"{head}.{body}".encode())


def test_a_permutation_is_one_to_one_and_leaves_no_neighbours() -> None:
    permutation = Permutation(b"key of a list")

    places = permutation.places(0, SIZE)

    assert np.array_equal(np.sort(places), np.arange(SIZE))
    steps = np.abs(np.diff(places[:100_000]))
    assert np.median(steps) > SIZE // 8
    assert permutation.places(500, 500) == places[500:1000]
    assert Permutation(b"another").places(0, 100) != places[:100]
