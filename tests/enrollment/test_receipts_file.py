"""The bureau's file: what is refused as a whole, what a row is refused for, and what a spreadsheet does to both."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.money import Money
from services.enrollment import receipts_file
from services.enrollment.receipts_file import TEXTS, BillRow, RowWrong
from tests.enrollment.builders import TODAY
from tests.enrollment.collecting import a_receipts_file, a_row

PAYER = "91320600MA1NT00083"
BILL = "bil_" + "1" * 32
GOOD = a_row("320625030012345678", PAYER, BILL, "100.00")


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (a_receipts_file([GOOD], encoding="gb18030").replace(b"receipt_no", "税票号".encode("gb18030")), "ENCODING"),
        (a_receipts_file([GOOD], encoding="utf-16"), "ENCODING"),
        (b"", "HEADER"),
        (a_receipts_file([GOOD], kind="maybe"), "HEADER"),
        (a_receipts_file([GOOD]).replace(b"#hrss-receipts,1", b"#hrss-receipts,2"), "HEADER"),
        (a_receipts_file([GOOD]).replace(b"payer_code,document", b"document,payer_code"), "HEADER"),
        (a_receipts_file([GOOD]).replace(b"2025-03-20,simulated", b"2025/3/20,simulated"), "HEADER"),
        (a_receipts_file([GOOD], totals="#total,1,100.00"), "TOTALS"),
        (a_receipts_file([GOOD], totals="#totals,2,100.00"), "TOTALS_DIFFER"),
        (a_receipts_file([GOOD], totals="#totals,1,100.01"), "TOTALS_DIFFER"),
        (a_receipts_file([GOOD]).replace(b"100.00,2025", b"1O0.00,2025"), "TOTALS_DIFFER"),
        (a_receipts_file([GOOD]) + b" " * receipts_file.BYTES_MAX, "TOO_LARGE"),
    ],
)
def test_a_file_of_another_form_is_refused_as_a_whole(data: bytes, cause: str) -> None:
    with pytest.raises(InvalidInput, match="documented format") as refusal:
        receipts_file.open_file(data)

    assert (refusal.value.reason, refusal.value.metadata["cause"]) == ("FILE_FORMAT_INVALID", cause)


def test_an_amount_that_cannot_be_read_is_named_by_its_line() -> None:
    data = a_receipts_file([GOOD, GOOD]).replace(b"100.00,2025", "１００.00,2025".encode(), 1)

    with pytest.raises(InvalidInput) as refusal:
        receipts_file.open_file(data)

    assert refusal.value.metadata["line"] == "3"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (a_row("3.20625E+17", PAYER, BILL, "1.00"), "RECEIPT_NO_SCIENTIFIC"),
        (a_row("３２０６２５", PAYER, BILL, "1.00"), "RECEIPT_NO_FULL_WIDTH"),
        (a_row("税票1", PAYER, BILL, "1.00"), "RECEIPT_NO_INVALID"),
        (a_row("TAX\u200b-1", PAYER, BILL, "1.00"), "HIDDEN_CHARACTER"),
        (a_row("TAX-1\u00a0", PAYER, BILL, "1.00"), "HIDDEN_CHARACTER"),
        (a_row("TAX-1", PAYER, BILL, "0.00"), "AMOUNT_INVALID"),
        (a_row("TAX-1", PAYER, BILL, "-5.00"), "AMOUNT_INVALID"),
        (a_row("TAX-1", PAYER, BILL, "1.00", "2025/3/20"), "DATE_AS_SPREADSHEET"),
        (a_row("TAX-1", PAYER, BILL, "1.00", "45736"), "DATE_AS_SPREADSHEET"),
        (a_row("TAX-1", PAYER, BILL, "1.00", "2025-02-30"), "PAID_DATE_INVALID"),
        (a_row("TAX-1", PAYER, BILL, "1.00", "2025-03-21"), "PAID_DATE_INVALID"),
    ],
)
def test_a_row_is_refused_with_a_hint(row: str, code: str) -> None:
    file = receipts_file.open_file(a_receipts_file([row]))

    with pytest.raises(RowWrong) as wrong:
        receipts_file.read_row(file, 3, file.lines[2], source="", today=TODAY)

    assert wrong.value.code == code
    assert all(TEXTS[code])


def test_numbers_that_a_spreadsheet_rounded_are_known_by_their_company() -> None:
    """One number in a thousand ends in 000 honestly; a whole file of them does not."""
    rounded = [a_row(f"3206250300123{number}000", PAYER, BILL, "1.00") for number in range(10, 15)]
    destroyed = receipts_file.open_file(a_receipts_file(rounded))
    honest = receipts_file.open_file(a_receipts_file([*rounded, GOOD]))

    with pytest.raises(RowWrong, match="RECEIPT_NO_ROUNDED"):
        receipts_file.read_row(destroyed, 3, destroyed.lines[2], source="", today=TODAY)
    assert receipts_file.read_row(honest, 3, honest.lines[2], source="", today=TODAY).receipt_no.endswith("000")


def test_a_number_that_stands_twice_counts_once() -> None:
    file = receipts_file.open_file(a_receipts_file([GOOD, GOOD]))

    receipts_file.read_row(file, 3, file.lines[2], source="", today=TODAY)
    with pytest.raises(RowWrong, match="DUPLICATE_ROW"):
        receipts_file.read_row(file, 4, file.lines[3], source="", today=TODAY)


def test_chinese_names_of_columns_and_trailing_commas_of_spreadsheets_are_taken() -> None:
    text = a_receipts_file([GOOD]).decode().replace(
        "receipt_no,payer_code,document,amount,paid_date", ",".join(receipts_file.COLUMNS_ZH)
    )  # fmt: skip
    data = text.replace("simulated\n", "simulated,\r\n").replace("#totals,1,100.00", "#totals,1,100.00,,\r\n,,,,")

    file = receipts_file.open_file(b"\xef\xbb\xbf" + data.encode())

    assert (file.row_count, file.total, file.day, file.simulated) == (1, Money.yuan("100.00"), TODAY, True)


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_no_bytes_find_a_fault(data: bytes) -> None:
    try:
        file = receipts_file.open_file(data)
    except InvalidInput as refusal:
        assert refusal.metadata["cause"]  # noqa: PT017 - any bytes may be a file
    else:
        assert file.row_count >= 0


@given(st.text(max_size=100))
def test_no_row_finds_a_fault(text: str) -> None:
    file = receipts_file.open_file(a_receipts_file([GOOD]))

    try:
        one = receipts_file.read_row(file, 3, text, source="", today=TODAY)
    except RowWrong as wrong:
        assert wrong.code in TEXTS  # noqa: PT017 - any text may be a row
    else:
        assert one.amount > Money.ZERO


def test_the_file_of_bills_is_canonical() -> None:
    rows = [
        BillRow(f"bil_{number}", "BILL", PAYER, Month(2025, 3), Money(1000), Money(number), date(2025, 4, 15), Money(7))
        for number in (2, 1)
    ]

    data, count, total, still_open = receipts_file.bills_file(Month(2025, 3), rows)

    assert data == receipts_file.bills_file(Month(2025, 3), rows[::-1])[0]
    assert (count, total, still_open) == (2, Money(2000), Money(3))
    assert data.decode().splitlines()[2] == f"bil_1,BILL,{PAYER},2025-03,10.00,0.01,2025-04-15,0.07"
    assert data.decode().splitlines()[-1] == "#totals,2,20.00,0.03"
