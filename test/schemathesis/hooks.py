"""What a request must not be, or must be, although each part of it is as the document says."""

import re

import schemathesis

NAME = re.compile("[a-z0-9][a-z0-9_-]{0,63}")

# Settings of the server: the document says how high they can be set.
MAX_READ_KEYS = 100
MAX_BATCH_OPERATIONS = 100

SMALLEST_NUMBER = 1e-308


@schemathesis.hook
def filter_case(ctx, case):
    headers = {name.lower(): value for name, value in (case.headers or {}).items()}
    # Both conditions at once are refused: OpenAPI has no "either of these parameters".
    if {"if-match", "if-none-match"} <= headers.keys():
        return False
    # Schemathesis 4.32 takes this for valid, against the pattern of the header.
    if headers.get("if-match") == "0":
        return False
    # A key has at most 512 bytes; JSON Schema counts characters.
    if not is_short((case.path_parameters or {}).get("key", "")):
        return False
    return not has_small_number(case.body) and not is_past_a_limit(case.body)


def is_short(key):
    return not isinstance(key, str) or len(key.encode("utf-8", "replace")) <= 512


def has_small_number(body):
    """JSON Schema knows nothing of exponents."""
    if isinstance(body, float):
        return 0 < abs(body) < SMALLEST_NUMBER
    if isinstance(body, dict):
        return any(has_small_number(member) for member in body.values())
    return isinstance(body, list) and any(has_small_number(element) for element in body)


def is_past_a_limit(body):
    if not isinstance(body, dict):
        return False
    # JSON Schema takes 3.0 for an integer. Counters are written without a fraction.
    if isinstance(body.get("by"), float):
        return True
    keys, operations = body.get("keys"), body.get("operations")
    if isinstance(keys, list) and (len(keys) > MAX_READ_KEYS or not all(map(is_short, keys))):
        return True
    if not isinstance(operations, list):
        return False
    return len(operations) > MAX_BATCH_OPERATIONS or any(
        isinstance(one.get("by"), float) or not is_short(one.get("key"))
        for one in operations
        if isinstance(one, dict)
    )


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Operations of a batch are sent to collections of the shipped holdfast.config.json that can take them."""
    body = case.body
    if not isinstance(body, dict) or not isinstance(body.get("operations"), list):
        return
    operations = body["operations"]
    atomic = body.get("atomic") is True and can_be_atomic(operations)
    case.body = {
        **body,
        **({"atomic": atomic} if body.get("atomic") is True else {}),
        "operations": [in_collection(one, "orders" if atomic else "carts") for one in operations],
    }


def can_be_atomic(operations):
    """One operation of each entry, and no counters, for the shipped ones are written behind."""
    keys = [str(one.get("key")) for one in operations if isinstance(one, dict) and one.get("op") != "increment"]
    return len(keys) == len(operations) == len(set(keys))


def in_collection(operation, documents):
    # Names that are none are left alone: they are to be refused.
    if not isinstance(operation, dict) or not NAME.fullmatch(str(operation.get("collection"))):
        return operation
    return {**operation, "collection": "page-views" if operation.get("op") == "increment" else documents}
