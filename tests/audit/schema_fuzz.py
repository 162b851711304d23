"""What random operations are made of, and what no answer to one may be. See schema_fuzz.sh."""

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes, scalar

TEXTS = st.one_of(st.sampled_from(["", "department", "Platform", "ann@corp.example", "usr_0"]), st.text(max_size=20))
VALUES = st.one_of(
    TEXTS.map(nodes.String),
    st.integers(min_value=-(2**53), max_value=2**53).map(nodes.Int),
    st.booleans().map(nodes.Boolean),
)

for name in ["AttributeInputValue", "Filter", "FilterValue", "JSON"]:
    scalar(name, VALUES)
scalar("Date", st.sampled_from(["2026-01-31", "2026-02-30", "0000-00-00", "now", ""]).map(nodes.String))
scalar("DateTime", st.sampled_from(["2026-01-31T00:00:00Z", "2026-01-31T25:00:00Z", "now", ""]).map(nodes.String))
scalar("Upload", TEXTS.map(nodes.String))


@schemathesis.check
def no_fault(ctx, response, case):
    """Whatever is asked is answered, or refused with the reason: nothing is a fault of the server."""
    assert response.status_code < 500, f"status {response.status_code}"
    for error in response.json().get("errors") or []:
        assert error["extensions"]["code"] not in ("INTERNAL", "UNAVAILABLE"), error
