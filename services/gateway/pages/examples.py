"""Example values for the documentation: well-formed, and of nobody (region 990000 exists nowhere)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor

from kernel.identity import TEST_REGION, make_credit_code, make_resident_id
from services.gateway.edge.contract import REQUEST_ID, TIMESTAMP
from services.gateway.edge.scalars import LONG

if TYPE_CHECKING:
    from collections.abc import Collection

_HEX = "01980f2e6c4b7d1aa3f05b9c2e7d4810"
_PREFIXES = {
    "person_id": "per",
    "employer_id": "emp",
    "enrollment_id": "enr",
    "participation_id": "par",
    "bill_id": "bil",
    "job_id": "job",
    "upload_id": "upl",
    "determination_id": "det",
    "benefit_id": "ben",
    "payroll_id": "prl",
    "payment_id": "pmt",
    "recovery_id": "rcv",
    "keeping_request_id": "kpr",
    "certificate_id": "crt",
    "claim_id": "clm",
    "order_id": "ord",
    "card_id": "crd",
    "device_id": "dev",
    "code_id": "cod",
    "pin_entry_id": "pin",
    "batch_id": "cbt",
    "delegation_id": "dlg",
    "message_id": "msg",
    "result_id": "ben",
    "person_request_id": "prq",
    "other_person_id": "per",
    "transfer_id": "trf",
    "cover_id": "cov",
    "resident_payment_id": "rpy",
    "back_payment_id": "bpy",
    "refund_id": "rfd",
    "project_id": "prj",
    "platform_month_id": "plm",
    "payer_person_id": "per",
    "file_id": "fil",
    "suspense_id": "sus",
    "demand_id": "dem",
    "difference_id": "dif",
    "plan_id": "pln",
    "late_fee_run_id": "lfr",
    "premium_aid_id": "pma",
    "premium_aid_run_id": "pmr",
    "land_batch_id": "lbt",
    "adjustment_id": "adj",
    "bridge_id": "brg",
    "release_id": "rls",
    "reminder_id": "rmd",
    "reminder_ids": "rmd",
    "return_id": "rfl",
    "approval_id": "apr",
    "card_ids": "crd",
    "replaced_by": "crd",
}
_TEXTS = {
    "name": "张三",
    "ward_name": "张三",
    "ward_id_no": make_resident_id(TEST_REGION, date(1956, 3, 15), 123),
    "share": "1",
    "reference": "332060251100000002",
    "document": "bil_" + "1" * 32,
    "carried_document": "苏人社失转2026-001号",
    "name_masked": "张*",
    "id_no": make_resident_id(TEST_REGION, date(1990, 3, 15), 123),
    "id_no_masked": "990000********1234",
    "phone": "13800000000",
    "credit_code": make_credit_code(TEST_REGION, "MA000001"),
    "division": "320613",
    "account": "6222020000000000000",
    "payee_account_masked": "6222********0000",
    "source_system": "legacy-city-system",
    "evidence_ref": "GZ-2026-0123",
    "receipt_no": "332060251100000001",
    "bank_reference": "BANK20251123000001",
    "number": "S000032000006253000001",
    "number_masked": "**** 0001",
    "occupation": "6-18-01-01",
    "reason": "缴费年限需要复核",
    "subject": "idp|p-0123456789abcdef01234567",
    "age": "60y4m",
    "kind": "import_history",
    "code": "basic",
    "title_zh": "基础养老金",
    "title_en": "Basic pension",
    "text_zh": "公民身份号码校验位不正确",
    "text_en": "the check character does not fit",
    "formula": "8785.00 × (1 + 0.6000) ÷ 2 × 28.0000 × 1 %",
    "file": "pension-employee.yaml",
    "key": "basic.rate_per_year",
    "effective": "2006-01-01 …",
    "confidence": "certain",
    "notice_no": "通政地告(2025)12号",
    "target": "RESIDENT_ACCOUNT",
    "csv": "document,month,due_date,open,late_fee,on",
    "issue_no": "32061012345678901277",
    "terminal": "W01-1",
    "face_ref": "FACE-20251123-0017",
    "call_ref": "12333-20251123-000017",
    "physical_card_ref": "PHYS-20251123-0001",
    "pin": "258036",
    "token": "NTS1:%69 VD92EX0",
    "audience": "q83vEjRWeJA",
    "nonce": "AAECAwQFBgcICQoLDA0ODw",
    "signed_time": "1795400000",
    "key_id": "9f" * 32,
    "alg": "ES256",
    "state": "active",
    "client": "hospital-1",
    "device_key": "AmsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKW",
    "proof": "AAECAwQFBgcICQoLDA0ODw" * 3,
    "signature": "AAECAwQFBgcICQoLDA0ODw" * 3,
    "public_key": "AmsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKW",
    "trust_list": "hEOhASag",
    "purposes": "identity",
    "card_reference": "AAECAwQFBgc",
    "time": "1795400000",
    "result": "ok",
    "purpose": "identity",
    "permit_no": "320613202511230101",
    "document_ref": "(2025)苏0613民初12号",
    "subject_ref": "9f86d081884c7d659a2feaa0c55ad015",
    "id_no_last4": "1234",
    "notice_zh": "测算结果仅供参考，不作为核定依据。",
    "notice_en": "An estimate, not a decision.",
    "case_no": "320602-20251123-1-000017-3",
    "parent_case_no": "",
    "item_code": "BE10",
    "bundle_code": "",
    "certificate_number": "S000032000006253000001",
    "last_four": "1234",
    "correction_points": "请补充解除劳动合同证明",
    "points": "请补充解除劳动合同证明",
    "todo": "",
    "problem_code": "",
    "problem_text": "",
    "actor": "applicant",
    "title": "已受理：失业保险金申领",
    "text": "编号 320602-20251123-1-000017-3 已受理，承诺 2025-11-24 前办结。",
    "seed": "parity2026",
    "dimension": "age",
    "band": "70-74",
    "value": "9300.00",
    "other_area": "310115",
    "letter_no": "LXH-20251123-0A1B2C3D",
    "form_no": "XXB-20251123-0A1B2C3D",
    "funds_no": "ZJ-20251123-0A1B2C3D",
    "document_no": "LXH-20251123-0A1B2C3D",
    "refusal": "",
    "facts": '{"as_of":"2025-11-23","kind":"INSURANCE"}',
    "report": "person_id,code,place,delivered,computed",
    "figure": "pension_months",
    "stated": "336",
    "counted": "335",
    "page_token": "",
    "next_page_token": "",
    "message": "",
}
_NUMBERS = {
    "year": 2025,
    "page_size": 50,
    "injury_class": 3,
    "acr": 2,
    "line": 12,
    "level": 3,
    "insured_months": 26,
    "min_contribution_months": 180,
}
_SCALARS = {
    "hrss.type.v1.Money": "8000.00",
    "hrss.type.v1.Rate": "1.00",
    "hrss.type.v1.Date": "2025-11-23",
    "hrss.type.v1.Month": "2025-11",
    TIMESTAMP: "2025-11-23T08:00:00Z",
}


def of_message(descriptor: Any, *, without: Collection[str] = (), is_input: bool = True) -> dict[str, Any]:
    """An example of a message in JSON; `without` names fields that are bound elsewhere."""
    skipped = {*without, REQUEST_ID} if is_input else set(without)
    return {field.name: of_field(field, is_input=is_input) for field in descriptor.fields if field.name not in skipped}


def of_field(field: Any, *, is_input: bool = True) -> Any:
    """An example of a field in JSON."""
    one = _one(field, is_input=is_input)
    return [one] if field.is_repeated else one


def of_upload() -> str:
    """An example of an upload id."""
    return _text("upload_id")


def _one(field: FieldDescriptor, *, is_input: bool) -> Any:
    if field.message_type is not None:
        scalar = _SCALARS.get(field.message_type.full_name)
        return scalar if scalar is not None else of_message(field.message_type, is_input=is_input)
    if field.enum_type is not None:
        return field.enum_type.values[1].name
    if field.type == FieldDescriptor.TYPE_BOOL:
        return False
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text(field.name)
    number = _NUMBERS.get(field.name, 1)
    return str(number) if field.type in LONG else number


def _text(name: str) -> str:
    if (prefix := _PREFIXES.get(name)) is not None:
        return f"{prefix}_{_HEX}"
    if name.endswith("digest") or name == "policy_version":
        return "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    return _TEXTS.get(name, "…")
