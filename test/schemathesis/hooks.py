"""What a request must not be although each part of it is as the document says."""

import schemathesis


@schemathesis.hook
def filter_case(ctx, case):
    headers = {name.lower(): value for name, value in (case.headers or {}).items()}
    # Both conditions at once are refused: OpenAPI has no "either of these parameters".
    if {"if-match", "if-none-match"} <= headers.keys():
        return False
    # Schemathesis 4.32 takes this for valid, against the pattern of the header.
    if headers.get("if-match") == "0":
        return False
    # JSON Schema takes 3.0 for an integer. Counters are written without a fraction.
    if isinstance(case.body, dict) and isinstance(case.body.get("by"), float):
        return False
    # A key has at most 512 bytes; JSON Schema counts characters.
    key = (case.path_parameters or {}).get("key", "")
    return not isinstance(key, str) or len(key.encode("utf-8", "replace")) <= 512
